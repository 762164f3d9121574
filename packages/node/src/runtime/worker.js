// @ts-check
// The thread that executes models. Plain JavaScript, so that it also starts from the sources. One request after the
// other: { id, verb, … } in, { id, value } or { id, error } out; see ort-runtime.ts, which does all checking.
import { parentPort } from "node:worker_threads";
import ort from "onnxruntime-node";

/** @typedef {{ type: string, dims: readonly number[], data: any }} Wire */
/** @typedef {{ native: ort.InferenceSession, bound: Map<string, ort.Tensor> }} Loaded */

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
/** To copy so many bytes takes less time than to move them. */
const SMALL = 1 << 14;
/** @type {Map<number, Loaded>} */
const sessions = new Map();
ort.env.logLevel = "fatal"; // errors come as exceptions; printing them too would only disturb

/** @type {Record<string, (request: any) => Promise<{ value: any, transfer?: ArrayBuffer[] }>>} */
const verbs = {
  async devices() {
    return { value: ort.listSupportedBackends().map(({ name }) => name) };
  },

  async load({ session, model, options }) {
    const native = await ort.InferenceSession.create(model, options);
    sessions.set(session, { native, bound: new Map() });
    return { value: { inputNames: native.inputNames, outputNames: native.outputNames } };
  },

  async bind({ session, feeds }) {
    const { bound } = find(session);
    for (const [name, wire] of Object.entries(feeds)) {
      if (wire === null) bound.delete(name);
      else bound.set(name, tensor(wire));
    }
    return { value: null };
  },

  async run({ session, feeds, fetches, back, spent }) {
    const { native, bound } = find(session);
    const given = Object.fromEntries(bound);
    for (const [name, wire] of Object.entries(feeds)) given[name] = tensor(wire);
    const results = await native.run(given, fetches);
    /** @type {{ outputs: Record<string, Wire>, back: Record<string, any> }} */
    const value = { outputs: {}, back: {} };
    const transfer = new Set();
    for (const [name, { type, dims, data: made }] of Object.entries(results)) {
      const data = taken(made, spent[name]);
      value.outputs[name] = { type, dims, data };
      if (ArrayBuffer.isView(data) && data.buffer.byteLength > SMALL) transfer.add(data.buffer);
    }
    for (const name of back) {
      value.back[name] = feeds[name].data;
      transfer.add(feeds[name].data.buffer);
    }
    return { value, transfer: [...transfer] };
  },

  async close({ session }) {
    const { native } = find(session);
    sessions.delete(session);
    await native.release();
    return { value: null };
  },

  async stop() {
    for (const { native } of sessions.values()) await native.release();
    sessions.clear();
    port.close();
    return { value: null };
  },
};

/** @param {number} session */
function find(session) {
  const loaded = sessions.get(session);
  if (loaded === undefined) throw new Error("the session is closed");
  return loaded;
}

/**
 * A result, in memory that had another one where it is as long.
 * @param {any} made
 * @param {any} spent
 */
function taken(made, spent) {
  if (spent?.length !== made.length || spent.constructor !== made.constructor) return made;
  spent.set(made);
  return spent;
}

/** @param {Wire} wire */
function tensor({ type, dims, data }) {
  return new ort.Tensor(/** @type {any} */ (type), data, dims);
}

let last = Promise.resolve();
port.on("message", (request) => {
  last = last.then(async () => {
    try {
      const { value, transfer = [] } = await verbs[request.verb](request);
      port.postMessage({ id: request.id, value }, transfer);
    } catch (error) {
      const { message, stack } = error instanceof Error ? error : new Error(String(error));
      port.postMessage({ id: request.id, error: { message, stack } });
    }
  });
});
