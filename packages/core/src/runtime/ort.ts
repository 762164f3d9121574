import { InputError } from "../errors.ts";
import type { DataType, Tensor, TensorData } from "../tensor.ts";
import type { Feeds, LoadOptions, Results, Runtime, Session } from "./runtime.ts";

/** What Graft uses of a package with ONNX Runtime's JavaScript interface: onnxruntime-node, -web, -react-native. */
export interface OrtModule {
  readonly Tensor: new (type: never, data: never, dims: readonly number[]) => unknown;
  readonly InferenceSession: { create(model: Uint8Array, options?: never): Promise<unknown> };
}

interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  getData(): Promise<unknown>;
}

interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, unknown>, fetches: readonly string[]): Promise<Record<string, OrtTensor>>;
  release(): Promise<void>;
}

/** How a package with ONNX Runtime's interface is used. */
export interface OrtOptions {
  /** Name of the execution provider: "cpu" in Node, "wasm" or "webgpu" in a browser. */
  readonly device?: string;
  /** Further options of the module's sessions, passed on as they are. */
  readonly session?: Readonly<Record<string, unknown>>;
}

/**
 * A runtime out of any package with ONNX Runtime's interface, in the calling thread: `ort(await
 * import("onnxruntime-web"))`. A run may hold that thread until it is done; under Node `ortRuntime` of
 * graft-ml uses a worker thread instead.
 */
export function ort(module: OrtModule, { device = "cpu", session = {} }: OrtOptions = {}): Runtime {
  const open = new Set<Session>();
  return {
    device,
    async load(model, options = {}) {
      const settings = sessionOptions(options, { executionProviders: [device], ...session });
      const native = (await module.InferenceSession.create(model, settings as never)) as OrtSession;
      const loaded = sessionOver(module, native, () => open.delete(loaded));
      open.add(loaded);
      return loaded;
    },
    async close() {
      for (const each of [...open]) await each.close();
    },
  };
}

function sessionOver(module: OrtModule, native: OrtSession, onClose: () => void): Session {
  const bound = new Map<string, unknown>();
  let last: Promise<unknown> = Promise.resolve();
  let closed = false;
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work);
    last = turn.catch(() => {}); // whoever asked is told; the next in line starts all the same
    return turn;
  };
  const execute = async (feeds: Feeds, fetches: readonly string[]): Promise<Results> => {
    if (closed) throw new Error("the session is closed");
    const given: Record<string, unknown> = Object.fromEntries(bound);
    for (const [name, tensor] of Object.entries(feeds)) given[name] = toOrt(module, name, tensor);
    requireFeeds(native.inputNames, given);
    const results: Results = {};
    for (const [name, tensor] of Object.entries(await native.run(given, fetches))) {
      results[name] = fromOrt(tensor.type, tensor.dims, await tensor.getData());
    }
    return results;
  };
  return {
    inputNames: native.inputNames,
    outputNames: native.outputNames,
    run: (feeds, fetches = native.outputNames) => inTurn(() => execute(feeds, fetches)),
    bind: (feeds) =>
      inTurn(async () => {
        for (const [name, tensor] of Object.entries(feeds)) {
          if (tensor === null) bound.delete(name);
          else bound.set(name, toOrt(module, name, { ...tensor, data: tensor.data.slice() }));
        }
      }),
    close: () =>
      inTurn(async () => {
        if (closed) return;
        closed = true;
        onClose();
        await native.release();
      }),
  };
}

/**
 * What makes models slower on processors: a sum and a LayerNormalization take a third of the time of the one
 * kernel they become (onnxruntime-node 1.30), and an encoder of six layers with it 6 % longer.
 */
const slow = ["SkipLayerNormFusion"];

/** ONNX Runtime's own names for the options of a session, `given` ones among them. */
export function sessionOptions(
  { externalData, optimization = "all", without = [] }: LoadOptions,
  given: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const options: Record<string, unknown> = {
    graphOptimizationLevel: optimization === "none" ? "disabled" : optimization,
    executionMode: "sequential",
    ...given,
  };
  const providers = (given.executionProviders ?? []) as readonly unknown[];
  const left = providers.every((name) => name === "cpu" || name === "wasm") ? [...without, ...slow] : without;
  if (left.length > 0) {
    const { extra = {} } = given as { extra?: Record<string, unknown> };
    const ours = { disable_specified_optimizers: left.join(";") };
    options.extra = { ...extra, optimization: { ...(extra.optimization ?? {}), ...ours } };
  }
  if (externalData !== undefined)
    options.externalData = Object.entries(externalData).map(([path, data]) => ({ path, data }));
  return options;
}

/** Throws where an input of the model is neither fed nor bound, or a feed is no input. */
export function requireFeeds(inputs: readonly string[], feeds: Readonly<Record<string, unknown>>): void {
  const missing = inputs.filter((name) => !(name in feeds));
  const surplus = Object.keys(feeds).filter((name) => !inputs.includes(name));
  if (missing.length === 0 && surplus.length === 0) return;
  const wrong = [
    ...missing.map((name) => `"${name}" is not fed`),
    ...surplus.map((name) => `"${name}" is no input`),
  ];
  throw new Error(`the model's inputs are ${inputs.join(", ") || "none"}: ${wrong.join(", ")}`);
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
  int4: Uint8Array,
  uint4: Uint8Array,
} as const;

/**
 * Throws where ONNX Runtime's JavaScript interface has no tensors like `tensor`, or its array is of the wrong
 * kind.
 */
export function requireFeedable(name: string, tensor: Tensor): void {
  if (tensor.dtype === "string") {
    if (!ArrayBuffer.isView(tensor.data)) return;
  } else if (tensor.dtype in arrays) {
    if (tensor.data instanceof arrays[tensor.dtype as keyof typeof arrays]) return;
  } else {
    throw new InputError(`"${name}" is ${tensor.dtype}, which ONNX Runtime does not take from JavaScript`);
  }
  throw new Error(`"${name}" is ${tensor.dtype}, but its data is a ${tensor.data.constructor.name}`);
}

/** A tensor of ONNX Runtime as Graft's: float16 keeps its bits, also where JavaScript has a Float16Array. */
export function fromOrt(type: string, dims: readonly number[], data: unknown): Tensor {
  const dtype = type as DataType;
  const wanted = arrays[dtype as keyof typeof arrays];
  if (wanted === undefined || data instanceof wanted)
    return { dtype, shape: [...dims], data: data as TensorData };
  const { buffer, byteOffset, length } = data as Uint16Array;
  return { dtype, shape: [...dims], data: new Uint16Array(buffer as ArrayBuffer, byteOffset, length) };
}

function toOrt(module: OrtModule, name: string, tensor: Tensor): unknown {
  requireFeedable(name, tensor);
  return new module.Tensor(tensor.dtype as never, tensor.data as never, tensor.shape);
}
