import {
  type Builder,
  build,
  type DataType,
  emptyGraph,
  float32,
  InputError,
  int64,
  type Model,
  ort,
  type Runtime,
  type Tensor,
  writeModel,
} from "@graft-ml/core";
import * as module from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { connect } from "./connection.ts";
import { coresIn } from "./cores.ts";
import { ortRuntime } from "./ort-runtime.ts";

function model(write: (b: Builder) => void): Uint8Array {
  const graph = emptyGraph("test");
  write(build(graph));
  const header = { opsets: new Map([["", 13]]), irVersion: 8, domain: "", modelVersion: 0n, doc: "" };
  const whole: Model = { graph, ...header, producer: { name: "graft", version: "" }, metadata: new Map() };
  return writeModel(whole);
}

/** y = a + b over vectors of any length. */
const sum = model((b) => {
  const y = b.apply("Add", [b.input("a", "float32", ["n"]), b.input("b", "float32", ["n"])]);
  b.graph.outputs.push(Object.assign(y, { name: "y", dtype: "float32", shape: ["n"] }));
});

/** Products of matrices one after the other: a run that takes long. */
const powers = model((b) => {
  const x = b.input("x", "float32", ["n", "n"]);
  let y = x;
  for (let k = 0; k < 20; k++) y = b.apply("MatMul", [y, x]);
  b.graph.outputs.push(Object.assign(y, { name: "y", dtype: "float32", shape: ["n", "n"] }));
});

/** Gives back a vector of any type, twice over. */
const twice = (dtype: DataType) =>
  model((b) => {
    const x = b.input("x", dtype, ["n"]);
    const y = b.apply("Concat", [x, x], { axis: 0 });
    b.graph.outputs.push(Object.assign(y, { name: "y", dtype, shape: ["m"] }));
  });

const vector = (...values: number[]) => float32([values.length], values);
const everyType: Tensor[] = [
  vector(1.5, -2),
  { dtype: "float64", shape: [2], data: Float64Array.of(0.1, -1e300) },
  { dtype: "float16", shape: [2], data: Uint16Array.of(0x3c00, 0xc000) },
  { dtype: "int8", shape: [2], data: Int8Array.of(-128, 127) },
  { dtype: "int16", shape: [2], data: Int16Array.of(-32768, 5) },
  { dtype: "int32", shape: [2], data: Int32Array.of(-5, 2 ** 31 - 1) },
  int64([2], [-(2n ** 63n), 2n ** 53n + 1n]),
  { dtype: "uint8", shape: [2], data: Uint8Array.of(0, 255) },
  { dtype: "uint16", shape: [2], data: Uint16Array.of(0, 65535) },
  { dtype: "uint32", shape: [2], data: Uint32Array.of(0, 2 ** 32 - 1) },
  { dtype: "uint64", shape: [2], data: BigUint64Array.of(0n, 2n ** 64n - 1n) },
  { dtype: "bool", shape: [2], data: Uint8Array.of(1, 0) },
  { dtype: "string", shape: [2], data: ["蚂蚁", ""] },
];

const runtimes: [string, Promise<Runtime>][] = [
  ["in a worker thread", ortRuntime({ threads: 1 })],
  ["in two worker threads", ortRuntime({ threads: 2, throughput: true })],
  ["in the same thread", Promise.resolve(ort(module))],
];

afterAll(async () => {
  for (const [, runtime] of runtimes) await (await runtime).close();
});

describe.each(runtimes)("ONNX Runtime %s", (_, starting) => {
  test.each(everyType)("carries $dtype there and back", async (x) => {
    const session = await (await starting).load(twice(x.dtype));
    const y = (await session.run({ x })).y!;
    const data = Array.from(x.data as ArrayLike<number>);
    expect({ ...y, data: Array.from(y.data as ArrayLike<number>) }).toEqual({
      dtype: x.dtype,
      shape: [4],
      data: [...data, ...data],
    });
    expect(y.data.constructor).toBe(x.data.constructor);
    await session.close();
  });

  test("runs in the order of the calls, and the results are the caller's own", async () => {
    const session = await (await starting).load(sum);
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => session.run({ a: vector(i, i), b: vector(1, 2) })),
    );
    expect(answers.map(({ y }) => [...(y!.data as Float32Array)])).toEqual(
      Array.from({ length: 40 }, (_, i) => [i + 1, i + 2]),
    );
    expect(new Set(answers.map(({ y }) => (y!.data as Float32Array).buffer)).size).toBe(40);
    await session.close();
  });

  test("leaves feeds as they were, views into larger buffers included", async () => {
    const session = await (await starting).load(sum);
    const whole = Float32Array.of(9, 1, 2, 9);
    const a: Tensor = { dtype: "float32", shape: [2], data: whole.subarray(1, 3) };
    const shared = new Float32Array(new SharedArrayBuffer(8)).fill(3);
    const b = { dtype: "float32", shape: [2], data: shared.slice() } as const;
    expect([...((await session.run({ a, b })).y!.data as Float32Array)]).toEqual([4, 5]);
    expect([...whole]).toEqual([9, 1, 2, 9]);
    await session.close();
  });

  test("keeps bound tensors until they are let go", async () => {
    const session = await (await starting).load(sum);
    const b = vector(10, 20);
    await session.bind({ b });
    (b.data as Float32Array).fill(0); // the binding has its own copy
    for (let i = 0; i < 3; i++)
      expect([...((await session.run({ a: vector(i, i) })).y!.data as Float32Array)]).toEqual([
        10 + i,
        20 + i,
      ]);
    expect([...((await session.run({ a: vector(1), b: vector(1) })).y!.data as Float32Array)]).toEqual([2]);
    await session.bind({ b: null });
    await expect(session.run({ a: vector(1) })).rejects.toThrow(
      'the model\'s inputs are a, b: "b" is not fed',
    );
    await session.close();
  });

  test("says which feeds are missing, unknown or of no use", async () => {
    const session = await (await starting).load(sum);
    await expect(session.run({ a: vector(1), c: vector(1) })).rejects.toThrow(
      '"b" is not fed, "c" is no input',
    );
    const b: Tensor = { dtype: "bfloat16", shape: [1], data: Uint16Array.of(1) };
    await expect(session.run({ a: vector(1), b })).rejects.toThrow('"b" is bfloat16');
    await expect(session.run({ a: vector(1, 2), b: vector(1, 2, 3) })).rejects.toThrow(/Add|dimension/i);
    // a failed run spoils nothing
    expect([...((await session.run({ a: vector(1), b: vector(1) })).y!.data as Float32Array)]).toEqual([2]);
    await session.close();
    await expect(session.run({ a: vector(1), b: vector(1) })).rejects.toThrow("the session is closed");
  });
});

describe("ONNX Runtime in a worker thread", () => {
  test("takes feeds given away", async () => {
    const session = await (await runtimes[0]![1]).load(sum);
    const a = vector(1, 2);
    const whole = new Float32Array(4).fill(1);
    const b: Tensor = { dtype: "float32", shape: [2], data: whole.subarray(0, 2) };
    const { y } = await session.run({ a, b }, ["y"], { transfer: true });
    expect([...(y!.data as Float32Array)]).toEqual([2, 3]);
    expect(a.data.length).toBe(0);
    expect(whole.length).toBe(4); // a view does not give away what lies beside it
  });

  test("leaves the event loop free while a model runs", async () => {
    const size = 1024;
    const heavy = model((b) => {
      const x = b.input("x", "float32", [size, size]);
      let y = x;
      for (let i = 0; i < 8; i++) y = b.apply("MatMul", [y, x]);
      b.graph.outputs.push(Object.assign(y, { name: "y", dtype: "float32", shape: [size, size] }));
    });
    const session = await (await runtimes[0]![1]).load(heavy);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await session.run({ x: float32([size, size], new Float32Array(size * size)) });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });

  test("shares its threads out between at most four lanes, each with a copy of what is bound", async () => {
    const shares: (readonly [number, number])[] = [];
    for (const threads of [1, 3, 9]) {
      const runtime = await ortRuntime({ threads, throughput: true });
      const session = await runtime.load(sum);
      await session.bind({ b: vector(5) });
      const answers = await Promise.all([1, 2, 3, 4, 5].map((i) => session.run({ a: vector(i) })));
      expect(answers.map(({ y }) => y!.data[0])).toEqual([6, 7, 8, 9, 10]);
      await expect(runtime.load(new Uint8Array([1, 2, 3]))).rejects.toThrow(InputError);
      await session.close();
      shares.push([runtime.lanes, runtime.threads]);
      await runtime.close();
    }
    expect(shares).toEqual([
      [1, 1],
      [3, 3],
      [4, 9],
    ]);
  });

  test("a run takes a lane that is free, whatever model the others run", async () => {
    const runtime = await ortRuntime({ threads: 2, lanes: 2 });
    const [long, short] = await Promise.all([runtime.load(powers), runtime.load(sum)]);
    const done: string[] = [];
    const x = float32([700, 700], new Float32Array(490_000));
    const all = [
      long.run({ x }).then(() => done.push("long")),
      short.run({ a: vector(1), b: vector(2) }).then(() => done.push("short")),
    ];
    await Promise.all(all);
    expect(done).toEqual(["short", "long"]);
    await runtime.close();
  });

  test("refuses a file that is no model, a device that is absent and senseless settings", async () => {
    const runtime = await runtimes[0]![1];
    await expect(runtime.load(new Uint8Array([1, 2, 3]))).rejects.toThrow(InputError);
    await expect(ortRuntime({ device: "cuda" })).rejects.toThrow(
      /^device cuda is not available here \(.+\); use cpu$/,
    );
    await expect(ortRuntime({ threads: 0 })).rejects.toThrow("threads must be a whole number from 1, got 0");
  });

  test("computes on webgpu where there is an adapter, else says that there is none", async () => {
    const outcome = await ortRuntime({ device: "webgpu", throughput: true }).then(
      async (runtime) => {
        const { y } = await (await runtime.load(sum)).run({ a: vector(1), b: vector(2) });
        await runtime.close();
        return `${runtime.lanes} lane: ${y!.data[0]}`;
      },
      (error: InputError) => `${error.name}: ${error.message}`,
    );
    expect(outcome).toMatch(/^1 lane: 3$|^InputError: device webgpu is not available here \(.+\); use cpu$/s);
  });

  test("finishes what was asked when closed, and refuses what comes after", async () => {
    const runtime = await ortRuntime({ threads: 1, queue: 8 });
    const session = await runtime.load(sum);
    const asked = session.run({ a: vector(1), b: vector(1) });
    await Promise.resolve();
    await Promise.all([runtime.close(), runtime.close()]);
    expect([...((await asked).y!.data as Float32Array)]).toEqual([2]);
    await expect(session.run({ a: vector(1), b: vector(1) })).rejects.toThrow("the runtime is closed");
    await session.close();
  });
});

describe("a thread", () => {
  const script = (code: string) => new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const listening = 'import { parentPort } from "node:worker_threads"; parentPort.on("message", ';

  test("that throws fails every call with its cause", async () => {
    const thread = connect(script(`${listening}() => { throw new TypeError("out of luck"); })`), 1);
    const calls = [thread.ask("run", {}, []), thread.ask("run", {}, [])];
    for (const settled of await Promise.allSettled(calls)) {
      expect(settled).toMatchObject({ status: "rejected", reason: { cause: { message: "out of luck" } } });
    }
    await expect(thread.ask("run", {}, [])).rejects.toThrow("the runtime's thread failed: out of luck");
    expect(thread.alive()).toBe(false);
    await thread.stop();
  });

  test("that exits fails every call, those in line too", async () => {
    const thread = connect(script(`${listening}() => process.exit(7))`), 1);
    const calls = [1, 2, 3].map(() => thread.inTurn(() => thread.ask("run", {}, [])));
    for (const call of calls) await expect(call).rejects.toThrow("the runtime's thread ended with code 7");
  });

  test("whose script cannot be loaded fails at the first call", async () => {
    const thread = connect(script('import "no-such-package-anywhere"'), 1);
    await expect(thread.ask("load", {}, [])).rejects.toThrow(/the runtime's thread failed/);
  });

  test("gets at most `width` requests at a time", async () => {
    const thread = connect(script(`${listening}({ id }) => parentPort.postMessage({ id, value: id }))`), 2);
    let running = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, () =>
        thread.inTurn(async () => {
          most = Math.max(most, ++running);
          await thread.ask("run", {}, []);
          running--;
        }),
      ),
    );
    expect(most).toBe(2);
    await thread.stop();
  });
});

test("physical cores are counted once, however many threads they have", () => {
  const processor = (package_: number, core: number) =>
    `processor\t: 0\nphysical id\t: ${package_}\ncore id\t\t: ${core}\n`;
  expect(coresIn([processor(0, 0), processor(0, 1), processor(0, 0), processor(1, 0)].join("\n"))).toBe(3);
  expect(coresIn("processor\t: 0\nBogoMIPS\t: 50.00\n")).toBe(0);
});

/** Gives a vector of any length back. */
const same = () =>
  model((b) => {
    const y = b.apply("Identity", [b.input("x", "float32", ["n"])]);
    b.graph.outputs.push(Object.assign(y, { name: "y", dtype: "float32", shape: ["n"] }));
  });

test("large feeds, whose copies are used again, leave earlier results and the caller's tensors as they are", async () => {
  const runtime = await ortRuntime({ threads: 1 });
  const session = await runtime.load(same());
  const length = 1 << 19;
  const data = new Float32Array(length);
  const results: Float32Array[] = [];
  for (let i = 1; i <= 4; i++) {
    data.fill(i);
    results.push((await session.run({ x: float32([length], data) })).y!.data as Float32Array);
  }
  const both = await Promise.all(
    [5, 6].map((value) => session.run({ x: float32([length], new Float32Array(length).fill(value)) })),
  );
  results.push(...both.map(({ y }) => y!.data as Float32Array));
  const short = await session.run({ x: float32([length / 2], new Float32Array(length / 2).fill(7)) });
  results.push(short.y!.data as Float32Array);
  expect(data.every((value) => value === 4)).toBe(true);
  for (const [i, result] of results.entries()) expect(result.every((value) => value === i + 1)).toBe(true);
  expect(results.at(-1)).toHaveLength(length / 2);
  await runtime.close();
});

test("results take the memory of earlier ones that are given up, where it fits", async () => {
  const runtime = await ortRuntime({ threads: 1 });
  const session = await runtime.load(same());
  const length = 1 << 19;
  const of = (value: number, size = length) => ({ x: float32([size], new Float32Array(size).fill(value)) });
  const first = await session.run(of(1));
  const second = await session.run(of(2), undefined, { into: first });
  expect(first.y!.data).toHaveLength(0);
  expect(second.y!.data).toHaveLength(length);
  expect((second.y!.data as Float32Array).every((value) => value === 2)).toBe(true);
  const shorter = await session.run(of(3, length / 2), undefined, { into: second });
  const small = await session.run(of(4, 2), undefined, { into: await session.run(of(5, 2)) });
  expect(shorter.y!.data).toHaveLength(length / 2);
  expect((shorter.y!.data as Float32Array).every((value) => value === 3)).toBe(true);
  expect([...(small.y!.data as Float32Array)]).toEqual([4, 4]);
  const third = await session.run(of(6), undefined, { into: {} });
  expect((third.y!.data as Float32Array).every((value) => value === 6)).toBe(true);
  await runtime.close();
});
