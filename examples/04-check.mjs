// What is wrong with a data set, found before training: the support messages with a few faults planted.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkDataset, readDataset } from "graft-ml";

const folder = await mkdtemp(join(tmpdir(), "graft-lesson-"));
const path = join(folder, "messages.csv");
const messages = await readFile(new URL("support/messages.csv", import.meta.url), "utf8");
const planted = [
  "Will the charger work in Japan?,billing", // the first message again, with another label
  "WHERE IS  MY PARCEL?,delivery",
  "where is my parcel?,delivery", // the same but for case and spaces
  "k,cancel", // hardly a text
];
await writeFile(path, `${messages.trimEnd()}\n${planted.join("\n")}\n`);

const dataset = await readDataset(path);
const { rows: count, findings } = await checkDataset(dataset);
console.log(`${count} rows, ${dataset.classes.length} classes`);
for (const { severity, message, examples, remedy } of findings) {
  console.log(`${severity}: ${message}; ${remedy}`);
  for (const { rows, detail } of examples) console.log(`  ${rows.join(", ")} ${detail}`);
}
await rm(folder, { recursive: true });
