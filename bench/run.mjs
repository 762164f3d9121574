// npm run bench -- NAME [--json]: runs bench/NAME.mjs, whose `run` gives rows; the last line of output is one
// JSON object.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
// Files without `run` are parts of the others.
const names = readdirSync(folder)
  .filter(
    (file) => file.endsWith(".mjs") && /^export .*\brun\b/m.test(readFileSync(`${folder}${file}`, "utf8")),
  )
  .map((file) => file.slice(0, -4));
const [name, ...flags] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--json]; there are ${names.join(", ")}`);
  process.exit(2);
}
const isJson = flags.includes("--json");
const { run } = await import(`./${name}.mjs`);
const rows = await run((line) => console.error(line));
if (!isJson) console.table(rows.map(({ spread, ...row }) => ({ ...row, spread: spread.join(" – ") })));
console.log(JSON.stringify({ name, rows }));
process.exit(0);
