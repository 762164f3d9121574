import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../bin/graft.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../../dist/index.js", import.meta.url)));
if (!isBuilt) console.info("cli: not built (npx tsc -b), so hostile files are not tested");

const MIB = 2 ** 20;
/**
 * Every file here is smaller than 4 MiB, and the smallest message in it takes two bytes, which as an object
 * are some 200: a hundred times as much. What goes beyond that, over what a sound file takes, was allocated
 * because a file said so; the extents claimed here would be 1.5 GiB at the least.
 */
const ROOM = 256 * MIB;

/** Bytes of a protobuf message from its parts. */
const join8 = (parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts));
function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
    if (rest < 128n) return Uint8Array.of(...bytes, Number(rest));
    bytes.push(Number(rest & 127n) | 128);
  }
}
const number = (field: number, value: bigint) => join8([varint(BigInt(field * 8)), varint(value)]);
const bytes = (field: number, value: Uint8Array, claimed = value.length) =>
  join8([varint(BigInt(field * 8 + 2)), varint(BigInt(claimed)), value]);
const text = (field: number, value: string) => bytes(field, new TextEncoder().encode(value));

// Fields of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
const node = (type: string, inputs: readonly string[], outputs: readonly string[], more = new Uint8Array()) =>
  bytes(
    1,
    join8([
      ...inputs.map((name) => text(1, name)),
      ...outputs.map((name) => text(2, name)),
      text(4, type),
      more,
    ]),
  );
const dimension = (size: bigint) => bytes(1, number(1, size));
const value = (field: number, name: string, sizes: readonly bigint[]) => {
  const shape = bytes(2, join8(sizes.map(dimension)));
  return bytes(field, join8([text(1, name), bytes(2, bytes(1, join8([number(1, 1n), shape])))]));
};
const weights = (sizes: readonly bigint[], ...more: Uint8Array[]) =>
  bytes(5, join8([...sizes.map((size) => number(1, size)), number(2, 1n), text(8, "w"), ...more]));
const raw = (count: number) => bytes(9, new Uint8Array(count));
const entry = (key: string, what: string) => bytes(13, join8([text(1, key), text(2, what)]));
const external = (location: string, ...more: Uint8Array[]) =>
  join8([entry("location", location), ...more, number(14, 1n)]);
const model = (...graph: Uint8Array[]) =>
  join8([number(1, 8n), bytes(8, number(2, 17n)), bytes(7, join8(graph))]);
/** y = x + w, with the weights in question. */
const sum = (tensor: Uint8Array, sizes: readonly bigint[] = [1n, 3n, 8n, 8n]) =>
  model(node("Add", ["x", "w"], ["y"]), tensor, value(11, "x", sizes), value(12, "y", sizes));

function nested(depth: number): Uint8Array {
  let graph = new Uint8Array();
  for (let i = 0; i < depth; i++)
    graph = Uint8Array.from(
      node("If", ["c"], ["y"], bytes(5, join8([text(1, "then_branch"), bytes(6, graph)]))),
    );
  return model(graph);
}

const hostile: Readonly<Record<string, () => Uint8Array>> = {
  "a graph that claims 2^62 bytes": () => join8([number(1, 8n), bytes(7, new Uint8Array(9), 2 ** 62)]),
  "a graph that claims 2 GiB": () => join8([number(1, 8n), bytes(7, new Uint8Array(9), 2 ** 31 - 1)]),
  "weights of 2^40 numbers over four bytes": () => sum(weights([2n ** 40n], raw(4))),
  "weights of 2^31 × 2^31 numbers over four bytes": () => sum(weights([2n ** 31n, 2n ** 31n], raw(4))),
  "weights of 400 million numbers over four bytes": () => sum(weights([400_000_000n], raw(4))),
  "weights of a million dimensions": () => sum(weights(Array<bigint>(1_000_000).fill(2n), raw(4))),
  "weights whose extents overflow to nothing": () => sum(weights([2n ** 32n, 2n ** 32n], raw(0))),
  "subgraphs 3 000 deep": () => nested(3000),
  "external data in the folder above": () => sum(weights([3n], external("../secret"))),
  "external data at an absolute path": () => sum(weights([3n], external("/etc/passwd"))),
  "external data of 2^50 bytes": () =>
    sum(weights([2n ** 48n], external("weights.bin", entry("length", String(2n ** 50n))))),
  "external data from byte 2^50 on": () =>
    sum(weights([3n], external("weights.bin", entry("offset", String(2n ** 50n)), entry("length", "12")))),
  "nodes in a circle": () => model(node("Add", ["b", "b"], ["a"]), node("Add", ["a", "a"], ["b"])),
  "a million nodes that are empty": () => model(new Uint8Array(2_000_000).map((_, i) => (i % 2 ? 0 : 10))),
};

/** Prints what the process took at most, in bytes, as its very last line. */
const watch = `data:text/javascript,${encodeURIComponent(
  'process.on("exit",()=>process.stderr.write("\\n"+process.resourceUsage().maxRSS*1024))',
)}`;

async function layers(path: string) {
  const child = spawn(process.execPath, ["--import", watch, program, "layers", path]);
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  child.stdout.resume();
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const lines = errors.trim().split("\n");
  return { code, most: Number(lines.pop()), message: lines.join("\n").trim() };
}

let folder: string;
let usual: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-hostile-"));
  await writeFile(join(folder, "weights.bin"), new Uint8Array(12));
  if (!isBuilt) return;
  await writeFile(join(folder, "sound.onnx"), sum(weights([1n], raw(4))));
  const sound = await layers(join(folder, "sound.onnx"));
  expect(sound.code, sound.message).toBe(0);
  usual = sound.most;
});
afterAll(() => rm(folder, { recursive: true }));

describe.skipIf(!isBuilt)("a hostile ONNX file ends in one clear error within bounded memory", () => {
  test.each(Object.entries(hostile))("%s", async (_, make) => {
    const path = join(folder, "hostile.onnx");
    const whole = make();
    expect(whole.length).toBeLessThan(4 * MIB);
    await writeFile(path, whole);
    const { code, most, message } = await layers(path);
    expect(code, message).toBe(1);
    expect(message.split("\n")).toHaveLength(1);
    expect(message.length).toBeLessThan(400);
    expect(message).toContain("hostile.onnx");
    console.info(
      `${Math.round((most - usual) / MIB)} MiB more than for a sound file: ${message.slice(0, 200)}`,
    );
    expect(most).toBeLessThan(usual + ROOM);
  });
});
