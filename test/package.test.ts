import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const run = promisify(execFile);
const read = (path: string) => readFileSync(join(root, path), "utf8");
const manifest = (name: string) => JSON.parse(read(`packages/${name}/package.json`));

describe("@graft-ml/core", () => {
  it("has no dependencies of any kind", () => {
    const kinds = Object.keys(manifest("core")).filter((key) => /dependencies$/i.test(key));
    expect(kinds).toEqual([]);
  });

  it("says of every public name what it is for", () => {
    const names = exportsOf(join(root, "packages/core/src/index.ts"));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter(({ isDocumented }) => !isDocumented).map(({ where }) => where)).toEqual([]);
  });
});

describe("the workspace", () => {
  it("is locked to contents, not to addresses", () => {
    const { packages } = JSON.parse(read("package-lock.json")) as {
      packages: Record<string, { resolved?: string; link?: boolean; integrity?: string }>;
    };
    const locked = Object.entries(packages).filter(([path]) => path.includes("node_modules/"));
    const isOwn = (entry: { link?: boolean }) => entry.link === true;
    expect(locked.filter(([, entry]) => entry.resolved !== undefined && !isOwn(entry))).toEqual([]);
    expect(locked.filter(([, entry]) => entry.integrity === undefined && !isOwn(entry))).toEqual([]);
  });

  it("has one version", () => {
    const core = manifest("core");
    expect(manifest("node").version).toBe(core.version);
    expect(manifest("node").dependencies["@graft-ml/core"]).toBe(core.version);
  });
});

const isBuilt = ["core", "node"].every((name) => existsSync(join(root, `packages/${name}/dist/index.js`)));
if (!isBuilt) console.info("package: not built (npx tsc -b), so what is published is not tested");

describe.skipIf(!isBuilt)("what is published", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "graft-pack-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(["core", "node"])("%s is whole, and what its package.json says", async (name) => {
    const args = [
      "pack",
      "--json",
      "--ignore-scripts",
      "--pack-destination",
      folder,
      "--workspace",
      `packages/${name}`,
    ];
    const [packed] = Object.values(
      JSON.parse((await run("npm", args, { cwd: root, maxBuffer: 1 << 26 })).stdout),
    ) as {
      filename: string;
      files: { path: string }[];
    }[];
    const paths = packed!.files.map(({ path }) => path);
    expect(paths.filter((path) => /\.test\.|tsbuildinfo|golden/.test(path))).toEqual([]);

    const tarball = join(folder, packed!.filename);
    const bytes = readFileSync(tarball);
    const content = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    const { messages, pkg } = await publint({ pack: { tarball: content }, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg!, { color: false }))).toEqual([]);
    await run(join(root, "node_modules/.bin/attw"), [tarball, "--profile", "esm-only", "--no-color"]);
  });

  it("core runs where there is nothing else", async () => {
    await run("tar", [
      "-xzf",
      join(folder, readdirSync(folder).find((name) => name.startsWith("graft-ml-core"))!),
      "-C",
      folder,
    ]);
    const compiled = readdirSync(join(folder, "package/dist"), { recursive: true, encoding: "utf8" });
    const imported = compiled
      .filter((path) => path.endsWith(".js"))
      .flatMap((path) => importsOf(readFileSync(join(folder, "package/dist", path), "utf8")));
    expect(imported.filter((path) => !path.startsWith("."))).toEqual([]);
    const code = `const { random } = await import(process.argv[1]); console.log(random(1).integer(1));`;
    const { stdout } = await run(process.execPath, [
      "--input-type=module",
      "--eval",
      code,
      join(folder, "package/dist/index.js"),
    ]);
    expect(stdout.trim()).toBe("0");
  });
});

interface Exported {
  readonly name: string;
  readonly where: string;
  readonly isDocumented: boolean;
}

/** The names a module exports, its own and those it passes on; of a named re-export, only what is named. */
function exportsOf(path: string, only?: ReadonlySet<string>): Exported[] {
  const text = readFileSync(path, "utf8");
  const own = [
    ...text.matchAll(/^export (?:async |abstract )*(?:function\*?|const|let|class|interface|type) (\w+)/gm),
  ];
  const seen = new Set<string>();
  const found: Exported[] = [];
  for (const { 1: name, index } of own) {
    if (seen.has(name!)) continue; // a further signature of the same function
    seen.add(name!);
    const line = text.slice(0, index).split("\n").length;
    const before = text.slice(0, index).trimEnd();
    const isDocumented = before.endsWith("*/") && before.startsWith("/**", before.lastIndexOf("/*"));
    found.push({ name: name!, where: `${relative(root, path)}:${line} ${name}`, isDocumented });
  }
  for (const { 1: what, 2: from } of text.matchAll(
    /^export (?:type )?(\*(?: as \w+)?|\{[^}]*\}) from "([^"]+)";/gm,
  )) {
    const named = what!.startsWith("{") ? new Set(namesIn(what!)) : undefined;
    found.push(...exportsOf(join(dirname(path), from!), named));
  }
  return only === undefined ? found : found.filter(({ name }) => only.has(name));
}

/** "{ type A, b as c }" names A and b. */
function namesIn(clause: string): string[] {
  const parts = clause.replace(/[{}]|\btype\b/g, "").split(",");
  return parts.map((part) => part.trim().split(/\s+/)[0]!).filter((name) => name !== "");
}

function importsOf(code: string): string[] {
  const plain = code.replace(/^\s*(?:\/\*.*?\*\/|\/\/.*?$)/gms, "");
  const imports = plain.matchAll(
    /^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|\bimport\(\s*"([^"]+)"|^import "([^"]+)"/gm,
  );
  return [...imports].map((found) => found[1] ?? found[2] ?? found[3]!);
}
