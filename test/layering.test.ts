import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

// Who may import whom in packages/core/src, beside the leaves and linalg; what these may import is theirs, too.
const arrows: Record<string, readonly string[]> = {
  linalg: [],
  ir: [],
  onnx: ["ir"],
  ops: ["ir"],
  autodiff: ["onnx", "ops"],
  optim: ["onnx", "ops"],
  runtime: [],
  data: [],
  words: [],
  transferability: [],
  active: [],
  evaluate: [],
  features: ["onnx", "runtime", "data"],
  heads: ["onnx", "ops", "runtime"],
  training: ["autodiff", "optim", "onnx", "runtime", "data", "heads"],
  taggers: ["training", "words"],
  architectures: ["training"],
};
const folders = Object.keys(arrows);

function reach(folder: string): Set<string> {
  return new Set(arrows[folder]!.flatMap((next) => [next, ...reach(next)]));
}

const planted: Record<string, string> = {};
for (const from of folders) {
  for (const to of folders) planted[`packages/core/src/${from}/to-${to}.ts`] = `../${to}/x.ts`;
  planted[`packages/core/src/${from}/deep/inside.ts`] = "../x.ts";
  planted[`packages/core/src/${from}/leaf.ts`] = "../tensor.ts";
}
/** The last word of each path's name says what is planted there. */
const further: [path: string, imported: string, message: string | null][] = [
  ["packages/core/src/ir/deep/onnx.ts", "../../onnx/read.ts", "ir may import leaves only"],
  ["packages/core/src/data/node.ts", "node:fs", "core has no dependencies and runs in a browser"],
  ["packages/core/src/data/package.ts", "sharp", "core has no dependencies"],
  ["packages/core/src/data/scoped.ts", "@huggingface/tokenizers", "core has no dependencies"],
  ["packages/core/src/data/self.ts", "@graft-ml/core", "core has no dependencies"],
  ["packages/core/src/data/other.ts", "../../../node/src/index.ts", "core has no dependencies"],
  ["packages/core/src/data/index-above.ts", "../index.ts", "import the file that defines the name"],
  ["packages/core/src/tensor-ir.ts", "./ir/graph.ts", "leaves"],
  ["packages/core/src/tensor-leaf.ts", "./errors.ts", null],
  ["packages/core/src/data/node.test.ts", "node:fs", null],
  ["packages/node/src/images/core.ts", "@graft-ml/core", null],
  [
    "packages/node/src/images/inside.ts",
    "../../../core/src/tensor.ts",
    "import from @graft-ml/core, its public API",
  ],
  ["packages/node/src/images/deep.ts", "@graft-ml/core/dist/tensor.js", "import from @graft-ml/core"],
  ["packages/node/src/images/cli.ts", "../cli/terminal.ts", "the library does not import it"],
  ["packages/node/src/images/studio.ts", "@graft-ml/studio", "nothing imports the studio"],
  ["packages/node/src/cli/library.ts", "../images/x.ts", null],
];

let tree: string;
/** What the linter says, by file. */
const said = new Map<string, string>();

beforeAll(async () => {
  tree = realpathSync(mkdtempSync(join(tmpdir(), "graft-layering-")));
  for (const file of ["biome.json", "biome.layers.json", ".gitignore"])
    cpSync(join(root, file), join(tree, file));
  mkdirSync(join(tree, ".git"));
  for (const [path, imported] of [...Object.entries(planted), ...further]) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), `export * from "${imported}";\n`);
  }
  writeFileSync(join(tree, "packages/core/src/ir/type-only.ts"), 'export type { A } from "../onnx/x.ts";\n');
  writeFileSync(join(tree, "packages/core/src/ir/dynamic.ts"), 'export const a = import("../onnx/x.ts");\n');
  const output = await lint();
  for (const line of output.split("\n")) {
    const [, file, message] = /^::error .*file=([^,]+),.*?::(.*)$/.exec(line) ?? [];
    if (file !== undefined) said.set(relative(tree, file), message!);
  }
});
afterAll(() => rmSync(tree, { recursive: true }));

async function lint(): Promise<string> {
  const args = ["lint", "--reporter=github", "--max-diagnostics=none", "packages"];
  return await new Promise((resolve, reject) => {
    execFile(join(root, "node_modules/.bin/biome"), args, { cwd: tree }, (error, stdout, stderr) => {
      if (error === null) reject(new Error(`the linter accepted every violation: ${stderr}`));
      else resolve(stdout);
    });
  });
}

describe("the linter", () => {
  it.each(folders)("lets %s import what its arrows reach, and nothing else", (from) => {
    const allowed = reach(from).add(from).add("linalg");
    for (const to of folders) {
      const message = said.get(`packages/core/src/${from}/to-${to}.ts`);
      if (allowed.has(to)) expect(message, `${from} -> ${to}`).toBeUndefined();
      else expect(message, `${from} -> ${to}`).toContain(`${from} may import leaves`);
    }
    for (const name of ["leaf", "deep/inside"]) {
      expect(said.get(`packages/core/src/${from}/${name}.ts`)).toBeUndefined();
    }
  });

  it.each(further)("in %s, judges an import of %s", (path, _, message) => {
    if (message === null) expect(said.get(path)).toBeUndefined();
    else expect(said.get(path)).toContain(message);
  });

  it("counts imports of types and imports at run time, too", () => {
    for (const name of ["type-only", "dynamic"]) {
      expect(said.get(`packages/core/src/ir/${name}.ts`)).toContain("docs/architecture.md");
    }
  });

  it("knows every folder of the core", () => {
    const entries = readdirSync(join(root, "packages/core/src"), { withFileTypes: true });
    const there = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    expect(there.filter((name) => !folders.includes(name))).toEqual([]);
  });
});
