import {
  type Feeds,
  fromOrt,
  InputError,
  type LoadOptions,
  type Results,
  type Runtime,
  requireFeedable,
  requireFeeds,
  type Session,
  sessionOptions,
  type Tensor,
} from "@graft-ml/core";
import { type Connection, connect } from "./connection.ts";
import { physicalCores } from "./cores.ts";
import { requireDevice } from "./device.ts";

export type Device = "cpu" | "webgpu" | "cuda";

export interface OrtRuntimeOptions {
  readonly device?: Device;
  /** Threads that share one operator's work; the physical cores by default. */
  readonly threads?: number;
  /** Runs sent to the thread before the first of them is done; further ones wait their turn on the caller's side. */
  readonly queue?: number;
  /** Lets idle threads wait in a loop: quicker for small models, at the expense of whatever else the machine does. */
  readonly spinning?: boolean;
  /**
   * For many runs of a forward pass: up to four run at once, each in a thread of its own with its own copy of
   * the model and its share of `threads`, and none waits in a loop. A run takes longer, all of them together
   * less. On the CPU alone.
   */
  readonly throughput?: boolean;
  /** So many runs at once, with `throughput` or without; each lane has a copy of the model. On the CPU alone. */
  readonly lanes?: number;
}

/** ONNX Runtime in a worker thread. */
export interface OrtRuntime extends Runtime {
  readonly device: Device;
  readonly threads: number;
  readonly lanes: number;
}

/** A tensor as it travels between the threads. */
interface Wire {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/**
 * ONNX Runtime in a worker thread of its own, so that a run leaves the event loop free. Feeds are copied into
 * the thread (given away with `transfer`), results are moved out of it. A thread that dies fails every call
 * with its cause. An idle runtime does not keep the process alive; `close` gives its memory back. Throws an
 * InputError that names what is there where `device` is absent.
 */
export async function ortRuntime(options: OrtRuntimeOptions = {}): Promise<OrtRuntime> {
  const { device = "cpu", threads = physicalCores(), queue = 2, throughput = false } = options;
  const { spinning = !throughput } = options;
  requireCount("threads", threads);
  requireCount("queue", queue);
  const { lanes: most = throughput ? MOST_LANES : 1 } = options;
  requireCount("lanes", most);
  const lanes = device === "cpu" ? Math.min(threads, most) : 1;
  const connections = Array.from({ length: lanes }, () =>
    connect(new URL("./worker.js", import.meta.url), queue),
  );
  const copies = new Copies();
  const close = async () => {
    await Promise.all(connections.map((thread) => thread.stop()));
  };
  const settings = {
    executionProviders: [device],
    intraOpNumThreads: Math.floor(threads / lanes),
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: spinning ? "1" : "0" } } },
  };
  if (device !== "cpu") {
    try {
      await requireDevice(connections[0]!, device, settings);
    } catch (error) {
      await close();
      throw error;
    }
  }
  let sessions = 0;
  /** Runs that each lane has to do, of whatever model. */
  const busy = connections.map(() => 0);
  return {
    device,
    threads,
    lanes,
    async load(model, loading = {}) {
      const session = sessions++;
      const loaded = await Promise.allSettled(
        connections.map((thread) => load(thread, session, model, loading, settings)),
      );
      const failed = loaded.find((one) => one.status === "rejected");
      const alike = connections.flatMap((thread, i) => {
        const one = loaded[i]!;
        return one.status === "fulfilled" ? [sessionIn(thread, session, one.value, copies)] : [];
      });
      if (failed === undefined) return alike.length === 1 ? alike[0]! : together(alike, busy);
      for (const one of alike) await one.close();
      throw failed.reason;
    },
    close,
  };
}

/** More of them need as many copies of the model, and on the machines that have so many cores gain little. */
const MOST_LANES = 4;

/** Sessions of one model as one, in which every run goes to the session that has the fewest to do. */
function together(sessions: readonly Session[], busy: number[]): Session {
  return {
    inputNames: sessions[0]!.inputNames,
    outputNames: sessions[0]!.outputNames,
    async run(feeds, fetches, options) {
      const lane = busy.indexOf(Math.min(...busy));
      busy[lane]!++;
      try {
        return await sessions[lane]!.run(feeds, fetches, options);
      } finally {
        busy[lane]!--;
      }
    },
    async bind(feeds) {
      await Promise.all(sessions.map((session) => session.bind(feeds)));
    },
    async close() {
      await Promise.all(sessions.map((session) => session.close()));
    },
  };
}

async function load(
  thread: Connection,
  session: number,
  model: Uint8Array,
  loading: LoadOptions,
  settings: Readonly<Record<string, unknown>>,
): Promise<Names> {
  const bytes = Uint8Array.prototype.slice.call(model); // the caller keeps its own; a Buffer's slice would be a view
  try {
    const options = sessionOptions(loading, settings);
    return (await thread.ask("load", { session, model: bytes, options }, [bytes.buffer])) as Names;
  } catch (error) {
    if (!thread.alive()) throw error;
    throw new InputError(`ONNX Runtime does not load the model: ${(error as Error).message.trim()}`, {
      cause: error,
    });
  }
}

interface Names {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

function sessionIn(
  thread: Connection,
  session: number,
  { inputNames, outputNames }: Names,
  copies: Copies,
): Session {
  const bound = new Set<string>();
  let closing: Promise<void> | null = null;
  const requireOpen = () => {
    if (closing !== null) throw new Error("the session is closed");
  };
  return {
    inputNames,
    outputNames,
    async run(feeds, fetches = outputNames, { transfer = false, into = {} } = {}): Promise<Results> {
      requireOpen();
      requireFeeds(inputNames, { ...Object.fromEntries([...bound].map((name) => [name, true])), ...feeds });
      const unknown = fetches.find((name) => !outputNames.includes(name));
      if (unknown !== undefined)
        throw new Error(`the model has no output "${unknown}"; it has ${outputNames.join(", ")}`);
      return await thread.inTurn(async () => {
        const sent = wires(feeds, transfer, copies);
        const spent = spentMemory(into, fetches);
        const request = { session, feeds: sent.wires, fetches, back: sent.back, spent };
        const buffers = [...sent.buffers, ...Object.values(spent).map(({ buffer }) => buffer as ArrayBuffer)];
        const answer = (await thread.ask("run", request, buffers)) as Answer;
        for (const [name, data] of Object.entries(answer.back)) copies.keep(name, data);
        return Object.fromEntries(
          Object.entries(answer.outputs).map(([name, { type, dims, data }]) => [
            name,
            fromOrt(type, dims, data),
          ]),
        );
      });
    },
    async bind(feeds) {
      requireOpen();
      for (const name of Object.keys(feeds)) {
        if (!inputNames.includes(name))
          throw new Error(`the model has no input "${name}"; it has ${inputNames.join(", ")}`);
      }
      const sent = wires(feeds, false);
      await thread.ask("bind", { session, feeds: sent.wires }, sent.buffers);
      for (const [name, tensor] of Object.entries(feeds)) {
        if (tensor === null) bound.delete(name);
        else bound.add(name);
      }
    },
    close() {
      copies.forget(inputNames);
      closing ??= thread.alive() ? thread.ask("close", { session }, []).then(() => {}) : Promise.resolve();
      return closing;
    },
  };
}

/** What a run is answered with: the outputs, and the copies of large feeds. */
interface Answer {
  readonly outputs: Record<string, Wire>;
  readonly back: Readonly<Record<string, TensorArray>>;
}

type TensorArray = Exclude<Tensor["data"], readonly string[]>;

/**
 * Feeds of so many bytes are copied into memory that has been to the thread before: fresh memory takes as
 * long again.
 */
const LARGE = 1 << 20;

/** To copy so many bytes once more takes less time than to move them to another thread. */
const SMALL = 1 << 14;

/** Memory of large feeds that came back from a thread, by input, for whichever session has one of that name. */
class Copies {
  readonly #kept = new Map<string, TensorArray[]>();

  keep(name: string, data: TensorArray): void {
    this.#kept.set(name, [...(this.#kept.get(name) ?? []), data]);
  }

  /** A copy of `data`. */
  of(name: string, data: TensorArray): TensorArray {
    const kept = this.#kept.get(name)?.pop();
    if (kept?.length !== data.length || kept.constructor !== data.constructor)
      return copy(data) as TensorArray;
    (kept as Float32Array).set(data as Float32Array);
    return kept;
  }

  /** Lets go what is kept for inputs; other sessions that have them make new copies. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#kept.delete(name);
  }
}

/**
 * What of earlier results can take others, by output. Memory that is new with every run has the main thread
 * look through all it holds for what is garbage, some hundred times an epoch.
 */
function spentMemory(into: Results, fetches: readonly string[]): Record<string, TensorArray> {
  const found: Record<string, TensorArray> = {};
  for (const name of fetches) {
    const data = into[name]?.data;
    if (data !== undefined && ArrayBuffer.isView(data) && data.byteLength >= LARGE && ownsItsBuffer(data))
      found[name] = data;
  }
  return found;
}

function wires(
  feeds: Feeds | Readonly<Record<string, Tensor | null>>,
  transfer: boolean,
  copies: Copies | null = null,
) {
  const back: string[] = [];
  const buffers = new Set<ArrayBuffer>();
  const sent: Record<string, Wire | null> = {};
  for (const [name, tensor] of Object.entries(feeds)) {
    if (tensor === null) {
      sent[name] = null;
      continue;
    }
    requireFeedable(name, tensor);
    const isGiven = transfer && ownsItsBuffer(tensor.data);
    let data = tensor.data;
    if (copies !== null && !isGiven && ArrayBuffer.isView(data) && data.byteLength >= LARGE) {
      data = copies.of(name, data);
      back.push(name);
    } else if (!isGiven) data = copy(data);
    if (ArrayBuffer.isView(data) && (isGiven || data.byteLength > SMALL))
      buffers.add(data.buffer as ArrayBuffer);
    sent[name] = { type: tensor.dtype, dims: [...tensor.shape], data };
  }
  return { wires: sent, buffers: [...buffers], back };
}

function ownsItsBuffer(data: Tensor["data"]): boolean {
  return (
    ArrayBuffer.isView(data) &&
    data.buffer instanceof ArrayBuffer &&
    data.byteLength === data.buffer.byteLength
  );
}

/** A copy over a plain ArrayBuffer, whatever the source lies in. */
function copy(data: Tensor["data"]): Tensor["data"] {
  return data instanceof Uint8Array ? Uint8Array.prototype.slice.call(data) : data.slice();
}

function requireCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1)
    throw new InputError(`${name} must be a whole number from 1, got ${value}`);
}
