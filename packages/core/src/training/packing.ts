import { build, ints } from "../ir/build.ts";
import type { Graph, Model, Value } from "../ir/graph.ts";
import { type Arena, type Numbers, type Slot, tensorAt } from "../optim/arena.ts";
import type { Feeds, Results } from "../runtime/runtime.ts";
import { float32, sizeOf } from "../tensor.ts";
import type { TrainingPlan } from "./plan.ts";

/** A plan's model with few inputs and outputs, and the way to feed and read it. */
export interface Packing {
  readonly model: Model;
  /** The arena's parameters as they are now, to be fed. */
  feeds(): Feeds;
  loss(results: Results): number;
  /** The gradient of a parameter among the results of a run. */
  gradientOf(results: Results): (name: string) => Numbers;
}

/** Parameters of up to so many numbers are packed: copying them costs less than another input and output do. */
const MOST = 4096;
/** How many are packed together: the time to make a session grows with the square of it. */
const TOGETHER = 32;
const PARAMETERS = "packed/parameters";
const RESULTS = "packed/results";

/** Parameters that enter together, and where among each other. */
interface Packet {
  readonly input: string;
  readonly output: string;
  readonly slots: readonly Slot[];
  readonly data: Float32Array;
}

/**
 * Lets small parameters enter as few inputs and leave, their gradients and the loss, as few outputs. A
 * runtime takes 1 to 3 µs an input and output, the way to another thread 10 more, and ONNX Runtime, when it
 * makes a session, looks through all outputs for every node again and again. On devices that bound the number
 * of outputs of an operator nothing is packed.
 */
export function packing(plan: TrainingPlan, arena: Arena, device: string): Packing {
  const isPacked = ({ length }: Slot) => length > 0 && length <= MOST;
  const small = device === "cpu" || device === "wasm" ? arena.slots.filter(isPacked) : [];
  if (small.length < 2 || arena.data instanceof Float64Array) return unpacked(plan, arena);
  const packets: Packet[] = [];
  for (let at = 0; at < small.length; at += TOGETHER) {
    const slots = small.slice(at, at + TOGETHER);
    const [input, output] = [PARAMETERS, RESULTS].map((stem) => `${stem}/${packets.length}`);
    const total = slots.reduce((sum, { length }) => sum + length, 0);
    packets.push({ input: input!, output: output!, slots, data: new Float32Array(total) });
  }
  const isSmall = new Set(small);
  const large = arena.slots.filter((slot) => !isSmall.has(slot));
  const feeds = Object.fromEntries(large.map((slot) => [slot.name, tensorAt(arena.data, slot)]));
  for (const { input, data } of packets) feeds[input] = float32([data.length], data);
  const places = new Map<string, { output: string; from: number; to: number }>();
  for (const { output, slots } of packets) {
    let end = 0;
    for (const { name, length } of slots) places.set(name, { output, from: end, to: (end += length) });
  }
  const numbers = (results: Results, name: string) => results[name]!.data as Float32Array;
  return {
    model: { ...plan.model, graph: packedGraph(plan, packets) },
    feeds() {
      for (const { data, slots } of packets)
        for (const { name, offset, length } of slots)
          data.set(arena.data.subarray(offset, offset + length), places.get(name)!.from);
      return feeds;
    },
    // It comes last in the first packet.
    loss: (results) => numbers(results, packets[0]!.output).at(-1)!,
    gradientOf: (results) => (name) => {
      const place = places.get(name);
      return place
        ? numbers(results, place.output).subarray(place.from, place.to)
        : numbers(results, plan.gradients.get(name)!);
    },
  };
}

function unpacked(plan: TrainingPlan, arena: Arena): Packing {
  const views = Object.fromEntries(arena.slots.map((slot) => [slot.name, tensorAt(arena.data, slot)]));
  return {
    model: plan.model,
    feeds: () => views,
    loss: (results) => Number(results[plan.loss]!.data[0]),
    gradientOf: (results) => (name) => results[plan.gradients.get(name)!]!.data as Float32Array,
  };
}

function packedGraph({ model, loss, gradients }: TrainingPlan, packets: readonly Packet[]): Graph {
  const { graph } = model;
  const inputs = new Map(graph.inputs.map((value) => [value.name, value]));
  const outputs = new Map(graph.outputs.map((value) => [value.name, value]));
  const replaced = new Set<Value>();
  const work: Graph = { ...graph, initializers: new Map(graph.initializers), inputs: [...graph.inputs] };
  const builder = build(work);
  work.nodes = [];
  for (const { input, slots, data } of packets) {
    const all = builder.input(input, "float32", [data.length]);
    const lengths = ints(slots.map(({ length }) => length));
    const parts = builder.applyMany("Split", [all, lengths], { axis: 0 }, slots.length, {
      name: "packed/part",
    });
    const split = work.nodes.at(-1)!;
    for (const [i, { name, shape }] of slots.entries()) {
      const parameter = inputs.get(name)!;
      replaced.add(parameter);
      if (shape.length === 1) split.outputs[i] = parameter;
      else {
        builder.apply("Reshape", [parts[i]!, ints(shape)], {}, { name: "packed/parameter" });
        work.nodes.at(-1)!.outputs[0] = parameter;
      }
    }
  }
  work.nodes.push(...graph.nodes);
  const results: Value[] = [];
  const flat = (value: Value, shape: readonly number[]): Value => {
    replaced.add(value);
    return shape.length === 1
      ? value
      : builder.apply("Reshape", [value, ints([sizeOf(shape)])], {}, { name: "packed/flat" });
  };
  for (const { output, slots, data } of packets) {
    const parts = slots.map(({ name, shape }) => flat(outputs.get(gradients.get(name)!)!, shape));
    const withLoss = results.length === 0;
    if (withLoss) parts.push(flat(outputs.get(loss)!, []));
    const result = builder.apply("Concat", parts, { axis: 0 }, { name: output });
    results.push(Object.assign(result, { dtype: "float32", shape: [data.length + (withLoss ? 1 : 0)] }));
  }
  work.inputs = work.inputs.filter((value) => !replaced.has(value));
  work.outputs = [...graph.outputs.filter((value) => !replaced.has(value)), ...results];
  return work;
}
