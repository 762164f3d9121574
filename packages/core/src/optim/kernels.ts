import { f32x4 } from "../wasm.ts";
import { assemble, type Loop } from "./assembler.ts";

const { above, abs, add, and, div, max, mul, sqrt, sub } = f32x4;

/** A loop of the WebAssembly module over the memory it was made for. */
export type Kernel = (...given: number[]) => void;
export type KernelName = keyof typeof loops;

/** Memory for typed arrays that kernels work on. It never grows, for that would detach the arrays. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  readonly kernels: Readonly<Record<KernelName, Kernel>>;
}

/**
 * Averages below are taken as 0: denormal numbers take processors 10 times as long, and beside epsilon these
 * are nothing.
 */
export const tiny = 1e-30;

/** v ← β₂v + (1 − β₂)g′², m ← β₁m + (1 − β₁)g′, g′ = g + added·p. */
const averages: Loop["body"] = (get, set) => {
  set("slope", add(get("g"), mul(get("added"), get("p"))));
  set("average", add(mul(get("beta1"), get("m")), mul(get("rest1"), get("slope"))));
  set("average", and(get("average"), above(abs(get("average")), get("tiny"))));
  set("m", get("average"));
  set("square", add(mul(get("beta2"), get("v")), mul(get("rest2"), mul(get("slope"), get("slope")))));
  set("square", and(get("square"), above(get("square"), get("tiny"))));
  set("v", get("square"));
};
/** p ← kept·p − size·m / (√v·root + ε) */
const adamMove: Loop["body"] = (get, set) => {
  const scale = add(mul(sqrt(get("square")), get("root")), get("epsilon"));
  set("p", sub(mul(get("kept"), get("p")), div(mul(get("size"), get("average")), scale)));
};
const adamNumbers = "added beta1 rest1 beta2 rest2 kept size root epsilon tiny".split(" ");

const loops = {
  /** Numbers: added, β₁, 1 − β₁, β₂, 1 − β₂, kept, size, root, ε, tiny. */
  adam: {
    arrays: ["p", "g", "m", "v"],
    numbers: adamNumbers,
    vectors: ["slope", "average", "square"],
    body(get, set) {
      averages(get, set);
      adamMove(get, set);
    },
  },
  amsgrad: {
    arrays: ["p", "g", "m", "v", "most"],
    numbers: adamNumbers,
    vectors: ["slope", "average", "square"],
    body(get, set) {
      averages(get, set);
      set("square", max(get("most"), get("square")));
      set("most", get("square"));
      adamMove(get, set);
    },
  },
  /** Numbers: added, kept, taken, rate, and the shares of the slope and of the velocity in the step. */
  sgd: {
    arrays: ["p", "g", "v"],
    numbers: ["added", "kept", "taken", "rate", "ofSlope", "ofVelocity"],
    vectors: ["slope", "velocity"],
    body(get, set) {
      set("slope", add(get("g"), mul(get("added"), get("p"))));
      set("velocity", add(mul(get("kept"), get("v")), mul(get("taken"), get("slope"))));
      set("v", get("velocity"));
      const move = add(mul(get("ofSlope"), get("slope")), mul(get("ofVelocity"), get("velocity")));
      set("p", sub(get("p"), mul(get("rate"), move)));
    },
  },
  /** Without momentum. Numbers: added, rate. */
  descent: {
    arrays: ["p", "g"],
    numbers: ["added", "rate"],
    vectors: [],
    body(get, set) {
      set("p", sub(get("p"), mul(get("rate"), add(get("g"), mul(get("added"), get("p"))))));
    },
  },
  /** Numbers: a, b; y ← a·y + b·x. */
  blend: {
    arrays: ["y", "x"],
    numbers: ["a", "b"],
    vectors: [],
    body(get, set) {
      set("y", add(mul(get("a"), get("y")), mul(get("b"), get("x"))));
    },
  },
} satisfies Record<string, Loop>;

let compiled: WebAssembly.Module | null | undefined;

/**
 * Memory of `bytes`, and the kernels over it; null where the platform has no vector instructions or not so
 * much memory.
 */
export function kernelMemory(bytes: number): KernelMemory | null {
  const pages = Math.ceil(bytes / 65536);
  if (pages > 65536 || typeof WebAssembly === "undefined") return null;
  if (compiled === undefined) {
    const code = assemble(loops);
    compiled = WebAssembly.validate(code) ? new WebAssembly.Module(code) : null;
  }
  if (!compiled) return null;
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (error instanceof RangeError) return null; // no room for it: the loops in JavaScript need no memory of their own
    throw error;
  }
  const { exports } = new WebAssembly.Instance(compiled, { "": { m: memory } });
  return { buffer: memory.buffer, kernels: exports as KernelMemory["kernels"] };
}
