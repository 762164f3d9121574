import { ints } from "../ir/build.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import { valuesUsedBy } from "../ir/order.ts";
import { consumers, prune } from "../ir/prune.ts";
import { scalarOf } from "../ops/formula.ts";
import type { Tensor } from "../tensor.ts";
import { blockedImages, type Extents, type Given } from "./blocked-images.ts";
import { blockedWeights, flippedOrder } from "./blocked-weights.ts";
import { integer, isPoint, list } from "./blocks.ts";

const elementwise = new Set(
  `Abs Add And Cast Clip Div Elu Erf Exp Greater HardSigmoid HardSwish Identity LeakyRelu Less Max Min Mul Neg Not Or
   Relu Sigmoid Softplus Sqrt Sub Sum Tanh Where`.split(/\s+/),
);

/**
 * A graph that computes the same with convolutions on blocked images: [N, C/block, H, W, block] in memory,
 * where `block` is what the runtime's processor likes (see `blockOf`). Images change their layout where a
 * convolution whose weights are no constants wants it, keep it through elementwise operators, and change back
 * where another operator reads them. Convolutions with constant weights on plain images are left alone: the
 * runtime does the same with them itself. Extents must be known; where they are not, or channels are no
 * multiple of `block`, nothing changes. `isFolded`: channels lie in front of images (see `foldsImages`).
 */
export function blocked(graph: Graph, block: number, isFolded = false): Graph {
  const uses = consumers(graph);
  const images = blockedImages(graph, block, isFolded);
  const { work, makers, forms, mixed, isPlain, emit, emitBlocked, reshaped, image, inside, swapped } = images;
  const { extents, dtype, plain, blockedForm, give, isHeld, contents } = images;
  const { full, narrow, repeated, viewed, eachWeights } = blockedWeights(images);
  const done = new Set<Node>();

  for (const node of graph.nodes) {
    if (done.has(node)) continue;
    const rule = node.domain === "" ? ruleOf(node) : null;
    if (rule?.()) continue;
    for (const value of valuesUsedBy(node)) plain(value);
    work.nodes.push(node);
    for (const output of node.outputs) if (output) isPlain.add(output);
  }
  for (const output of graph.outputs) plain(output);
  return prune(work);

  /** What may take a node's place; false where it stays as it is. */
  function ruleOf(node: Node): (() => boolean) | null {
    if (node.opType === "Conv") return () => convolution(node);
    if (node.opType === "ConvTranspose") return () => depthwiseTransposed(node);
    if (node.opType === "Reshape") return () => reshape(node);
    if (node.opType === "Slice") return () => slice(node);
    if (node.opType === "Transpose") return () => transpose(node);
    if (node.opType === "ReduceSum") return () => sum(node);
    if (node.opType === "GlobalAveragePool") return () => average(node);
    return elementwise.has(node.opType) ? () => each(node) : null;
  }

  function convolution(node: Node): boolean {
    const [x, w, bias = null] = node.inputs as [Value, Value, Value?];
    const y = node.outputs[0]!;
    const [from, to, weights] = [extents(x), image(y), extents(w)];
    if (!from || !to || weights?.length !== 4 || dtype(x) !== "float32") return false;
    if (graph.initializers.has(w) && !graph.inputs.includes(w) && !forms.has(x)) return false;
    const groups = integer(node.attributes, "group", 1);
    const isDepthwise = groups > 1 && weights[1] === 1 && weights[0] === groups && from[1] === groups;
    const isNarrow = groups === 1 && from[1]! < block;
    if (!isDepthwise && groups !== 1) return false;
    if (!isNarrow && !image(x)) return false;
    if (isFolded && !isNarrow && !isDepthwise && !isPoint(weights, node.attributes)) return false;
    const isMixed = mixed.has(x);
    if (isMixed && !(isDepthwise && viewed(w, weights))) return false;
    const repeats = isFolded && isDepthwise ? from[0]! : 1;
    const kernel = isDepthwise
      ? repeated(eachWeights(w, weights, isMixed || !isFolded), weights[0]!, repeats, weights.slice(1))
      : isNarrow
        ? narrow(w, weights)
        : full(w, weights);
    if (isNarrow) plain(x);
    let input = isNarrow ? x : blockedForm(x);
    if (repeats > 1) input = reshaped(input, [1, repeats * from[1]!, from[2]!, from[3]!]);
    const [activation, sum, last] = following(y, isDepthwise || (isNarrow && isFolded));
    const shift = bias && repeats > 1 ? repeated(bias, weights[0]!, repeats) : bias;
    let made = emitBlocked("Conv", [input, kernel, shift, ...(sum ? [blockedForm(sum)] : [])], {
      ...Object.fromEntries(node.attributes),
      ...activation,
      ...(repeats > 1 ? { group: groups * repeats } : {}),
    });
    const [images, channels, height, width] = to;
    if (isNarrow && isFolded && images > 1)
      made = swapped(made, images, channels / block, height * width * block);
    if (isFolded && images > 1) made = reshaped(made, inside(to));
    if (isMixed) mixed.set(last, mixed.get(x)!);
    return give(last, made);
  }

  /** What follows a convolution and nothing else reads: an addition, then an activation. */
  function following(y: Value, isAlone: boolean): [activation: Given, sum: Value | null, last: Value] {
    let last = y;
    let sum: Value | null = null;
    const next = only(last);
    if (!isAlone && next && /^(Add|Sum)$/.test(next.opType) && next.inputs.length === 2) {
      const other = next.inputs[0] === last ? next.inputs[1]! : next.inputs[0]!;
      const isSame = image(other)?.join() === image(last)!.join();
      if (isSame && other !== last && forms.has(other)) {
        sum = other;
        last = next.outputs[0]!;
        done.add(next);
      }
    }
    const after = only(last);
    if (after?.opType === "Relu") {
      done.add(after);
      return [{ activation: "Relu" }, sum, after.outputs[0]!];
    }
    const bounds = after?.opType === "Clip" ? [number(after.inputs[1]), number(after.inputs[2])] : null;
    if (after && bounds?.every((bound) => bound !== null)) {
      done.add(after);
      const params = { type: "floats" as const, value: bounds as number[] };
      return [{ activation: "Clip", activation_params: params }, sum, after.outputs[0]!];
    }
    return [{}, sum, last];
  }
  function only(value: Value): Node | null {
    const all = uses.get(value);
    return all?.length === 1 && all[0]!.index >= 0 && !graph.outputs.includes(value) ? all[0]!.node : null;
  }
  function number(value: Value | null | undefined): number | null {
    const tensor = value && (graph.initializers.get(value) ?? constantOf(makers.get(value)));
    return tensor?.dtype === "float32" && tensor.data.length === 1 ? Number(tensor.data[0]) : null;
  }

  /** Depthwise with strides: zeros between the pixels, then a convolution with the weights turned by 180°. */
  function depthwiseTransposed(node: Node): boolean {
    const [dy, w] = node.inputs as [Value, Value];
    const [from, to, weights] = [image(dy), image(node.outputs[0]), extents(w)];
    const groups = integer(node.attributes, "group", 1);
    if (!from || !to || !weights || weights[1] !== 1 || weights[0] !== groups || !isHeld(dy)) return false;
    if (node.inputs[2] || graph.initializers.has(w)) return false;
    const [, channels, rows, columns] = from;
    const strides = list(node.attributes, "strides") ?? [1, 1];
    const dilations = list(node.attributes, "dilations") ?? [1, 1];
    const pads = list(node.attributes, "pads") ?? [0, 0, 0, 0];
    const reach = [0, 1].map((i) => (weights[i + 2]! - 1) * dilations[i]!);
    const before = reach.map((r, i) => r - pads[i]!);
    const stuffed = [rows * strides[0]!, columns * strides[1]!];
    const after = reach.map((r, i) => to[i + 2]! - stuffed[i]! - before[i]! + r);
    if ([...before, ...after].some((n) => n < 0)) return false;
    const lines = (from[0] * channels * rows) / block;
    // [lines, 1, columns, b]: a pixel is followed by zeros, a line by lines of zeros.
    const pixels = reshaped(forms.get(dy)!, [lines, 1, columns, block]);
    const spread = emit("Pad", [
      pixels,
      ints([0, 0, 0, 0, 0, strides[0]! - 1, 0, (strides[1]! - 1) * block]),
      scalarOf("float32", 0),
    ]);
    const repeats = isFolded ? from[0] : 1;
    const spaced = reshaped(spread, [from[0] / repeats, channels * repeats, stuffed[0]!, stuffed[1]!]);
    const apart = emitBlocked("ReorderInput", [reshaped(w, [1, channels, weights[2]!, weights[3]!])]);
    const order = flippedOrder(weights[2]!, weights[3]!, [2, 3]);
    const turned = emit(
      "Gather",
      [reshaped(apart, [channels / block, weights[2]! * weights[3]!, block]), ints(order)],
      {
        axis: 1,
      },
    );
    const kernel = repeated(reshaped(turned, weights), channels, repeats, weights.slice(1));
    const made = emitBlocked("Conv", [spaced, kernel], {
      group: groups * repeats,
      kernel_shape: weights.slice(2),
      dilations,
      pads: [...before, ...after],
    });
    return give(node.outputs[0]!, repeats > 1 ? reshaped(made, inside(to)) : made);
  }

  function reshape(node: Node): boolean {
    const [x] = node.inputs as [Value];
    const y = node.outputs[0]!;
    const [from, to] = [image(x), image(y)];
    if (!from || !to || !forms.has(x) || from[2] !== to[2] || from[3] !== to[3]) return false;
    if (isFolded && from.join() !== to.join()) {
      const [apart, joint] = mixed.has(x) ? [to, from] : [from, to];
      const isSplit = joint[0] === 1 && apart[0] === (mixed.get(x) ?? apart[0]);
      if (!isSplit) return false;
      if (!mixed.has(x)) mixed.set(y, apart[0]);
    } else if (mixed.has(x)) mixed.set(y, mixed.get(x)!);
    return give(y, reshaped(forms.get(x)!, inside(to)));
  }

  /** Channels in front of images, which is how folded ones lie. */
  function transpose(node: Node): boolean {
    const [x] = node.inputs as [Value];
    const from = image(x);
    if (!isFolded || !from || !isHeld(x) || list(node.attributes, "perm")?.join() !== "1,0,2,3") return false;
    const [images, channels, height, width] = from;
    reshaped(emitBlocked("ReorderOutput", [forms.get(x)!], { channels }), [channels, images, height, width]);
    work.nodes.at(-1)!.outputs[0] = node.outputs[0]!;
    isPlain.add(node.outputs[0]!);
    return true;
  }

  /** A cut along height and width. */
  function slice(node: Node): boolean {
    const [x] = node.inputs as [Value];
    const y = node.outputs[0]!;
    const [from, to] = [image(x), image(y)];
    const [starts, ends, axes] = [1, 2, 3].map((i) => contents(node.inputs[i]));
    if (!from || !to || !forms.has(x) || !starts || !ends || !axes?.every((axis) => axis >= 2)) return false;
    if (node.inputs[4]) return false;
    if (mixed.has(x)) mixed.set(y, mixed.get(x)!);
    if (from.join() === to.join()) return give(y, forms.get(x)!);
    const pixels = reshaped(forms.get(x)!, [(from[0] * from[1]) / block, from[2], from[3], block]);
    const cut = emit("Slice", [pixels, ints(starts), ints(ends), ints(axes.map((axis) => axis - 1))]);
    return give(y, reshaped(cut, inside(to)));
  }

  /** Sums over images, or over images and pixels. */
  function sum(node: Node): boolean {
    const [x] = node.inputs as [Value];
    const from = image(x);
    const axes = contents(node.inputs[1]);
    if (!from || !isHeld(x) || integer(node.attributes, "keepdims", 1) !== 0) return false;
    const [images, channels, height, width] = from;
    const y = node.outputs[0]!;
    const last = (form: Value, shape: readonly number[]) => {
      reshaped(form, shape);
      work.nodes.at(-1)!.outputs[0] = y;
      isPlain.add(y);
      return true;
    };
    if (axes?.join() === "0") {
      const apart = isFolded
        ? reshaped(forms.get(x)!, [channels / block, images, height * width * block])
        : forms.get(x)!;
      const summed = emit("ReduceSum", [apart, ints([isFolded ? 1 : 0])], { keepdims: 1 });
      const image = isFolded ? reshaped(summed, [1, channels, height, width]) : summed;
      return last(emitBlocked("ReorderOutput", [image], { channels }), [channels, height, width]);
    }
    if (axes?.join() !== "0,2,3") return false;
    const apart = isFolded ? [channels / block, images, block] : [images, channels];
    const mean = reshaped(eachMean(x, from), apart);
    const total = emit("ReduceSum", [mean, ints([isFolded ? 1 : 0])], { keepdims: 0 });
    return last(emit("Mul", [total, scalarOf("float32", height * width)]), [channels]);
  }

  /** The mean of each channel of each image. */
  function eachMean(x: Value, [images, channels, height, width]: Extents): Value {
    const form = forms.get(x)!;
    return emitBlocked("GlobalAveragePool", [
      isFolded ? reshaped(form, [1, images * channels, height, width]) : form,
    ]);
  }

  function average(node: Node): boolean {
    const [x] = node.inputs as [Value];
    const from = image(x);
    if (!from || !isHeld(x)) return false;
    const mean = eachMean(x, from);
    if (isFolded) reshaped(swapped(mean, from[1] / block, from[0], block), [from[0], from[1], 1, 1]);
    // Over a single pixel both layouts are one.
    work.nodes.at(-1)!.outputs[0] = node.outputs[0]!;
    isPlain.add(node.outputs[0]!);
    return true;
  }

  /** What a value of one number a channel was before it was spread over the pixels of an image. */
  function unspread(value: Value, to: Extents): Value {
    const maker = makers.get(value);
    const source = maker?.opType === "Expand" ? maker.inputs[0]! : null;
    return source && extents(source)?.join() === [to[0], to[1], 1, 1].join() ? source : value;
  }

  /** Elementwise: on the blocked forms where one is there; what is one number a channel is spread over pixels. */
  function each(node: Node): boolean {
    const y = node.outputs[0]!;
    const to = image(y);
    const from = node.inputs.map((input) => (input && !forms.has(input) && to ? unspread(input, to) : input));
    const inputs = from.filter((input) => input !== null);
    if (!to || node.outputs.length > 1 || !inputs.some((input) => forms.has(input))) return false;
    if (inputs.some((input) => mixed.has(input))) return false;
    const kinds = inputs.map((input) => {
      const shape = extents(input);
      if (!shape) return null;
      if (shape.length === 4 && shape.join() === to.join())
        return forms.has(input) || dtype(input) === "float32" ? "image" : null;
      if (shape.every((extent) => extent === 1)) return "number";
      const [n = 1, c, ...rest] = [...new Array(4 - shape.length).fill(1), ...shape];
      const isChannels = c === to[1] && (n === 1 || n === to[0]) && rest.every((extent) => extent === 1);
      return isChannels ? "channels" : null;
    });
    if (kinds.includes(null)) return false;
    const isSpread = kinds.includes("channels");
    const [images, channels, height, width] = to;
    const [outer, lines] = [
      [images, channels / block],
      [height * width, block],
    ];
    const given = from.map((input) => {
      if (!input) return null;
      const kind = kinds[inputs.indexOf(input)];
      if (kind === "image") {
        const form = blockedForm(input);
        return isSpread
          ? reshaped(form, isFolded ? [outer[1]!, outer[0]!, ...lines] : [...outer, ...lines])
          : form;
      }
      plain(input);
      if (kind === "number") return input;
      const rows = extents(input)!.length === 4 ? extents(input)![0]! : 1;
      return isFolded
        ? reshaped(swapped(input, rows, outer[1]!, block), [outer[1]!, rows, 1, block])
        : reshaped(input, [rows, outer[1]!, 1, block]);
    });
    const made = emit(node.opType, given, Object.fromEntries(node.attributes));
    return give(y, isSpread ? reshaped(made, inside(to)) : made);
  }
}

function constantOf(node: Node | undefined): Tensor | null {
  const value = node?.opType === "Constant" ? node.attributes.get("value") : null;
  return value?.type === "tensor" ? value.value : null;
}
