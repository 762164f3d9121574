// npm run bench -- NAME [--json]: runs bench/NAME.mjs, whose `run` gives rows; the last line of output is one JSON object.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".mjs") && file !== "run.mjs")
  .map((file) => file.slice(0, -4));
const [name, ...flags] = process.argv.slice(2);
if (name === undefined || !existsSync(`${folder}${name}.mjs`) || !names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json]; there are ${names.join(", ")}`);
  process.exit(2);
}
const isJson = flags.includes("--json");
const { run } = await import(`./${name}.mjs`);
const rows = await run((line) => console.error(line));
if (!isJson) console.table(rows.map(({ spread, ...row }) => ({ ...row, spread: spread.join(" – ") })));
console.log(JSON.stringify({ name, rows }));
process.exit(0);
