import { type AttributeValue, build, ints } from "../ir/build.ts";
import type { Graph, Value } from "../ir/graph.ts";
import { producers } from "../ir/prune.ts";
import { type Inferred, inferShapes, integersOf } from "../ir/shapes.ts";
import type { Tensor } from "../tensor.ts";

/** The runtime's internal domain of operators on blocked images. */
export const BLOCKED_DOMAIN = "com.microsoft.nchwc";

/** Images, channels, height, width. */
export type Extents = readonly [number, number, number, number];
/** Attributes that a node is given. */
export type Given = Readonly<Record<string, AttributeValue>>;
/** The images of a graph as `blockedImages` holds them. */
export type BlockedImages = ReturnType<typeof blockedImages>;

/**
 * Which images of a graph lie in blocks, and the nodes that change one layout into the other, in a copy
 * `work` of the graph that has no nodes at first. `isFolded`: channels lie in front of images (see
 * `foldsImages`).
 */
export function blockedImages(graph: Graph, block: number, isFolded: boolean) {
  const types = inferShapes(graph);
  const makers = producers(graph);
  const work: Graph = { ...graph, initializers: new Map(graph.initializers) };
  const builder = build(work);
  work.nodes = [];
  /** The blocked form of a value; see `inside` for its extents. */
  const forms = new Map<Value, Value>();
  /** Folded images as [1, N·C, H, W], with channels still in front of N images. */
  const mixed = new Map<Value, number>();
  const isPlain = new Set<Value>([...graph.inputs, ...graph.initializers.keys()]);
  return {
    ...{ block, isFolded, work, makers, forms, mixed, isPlain },
    ...{ emit, emitBlocked, reshaped, image, inside, swapped, extents, dtype },
    ...{ plain, blockedForm, give, isHeld, contents },
  };

  function emit(opType: string, inputs: readonly (Value | Tensor | null)[], given: Given = {}): Value {
    return builder.apply(opType, inputs, given, { name: `blocked/${opType.toLowerCase()}` });
  }
  function emitBlocked(opType: string, inputs: readonly (Value | null)[], given: Given = {}): Value {
    return builder.apply(opType, inputs, given, {
      domain: BLOCKED_DOMAIN,
      name: `blocked/${opType.toLowerCase()}`,
    });
  }
  function reshaped(value: Value, shape: readonly number[]): Value {
    return emit("Reshape", [value, ints(shape)]);
  }

  /** The extents of an image that can be blocked. */
  function image(value: Value | null | undefined): Extents | null {
    const shape = value ? types.get(value)?.shape : null;
    if (shape?.length !== 4 || !shape.every((extent) => typeof extent === "number")) return null;
    return (shape[1] as number) % block === 0 ? (shape as Extents) : null;
  }
  /** The extents of an image's blocked form. */
  function inside([images, channels, height, width]: Extents): Extents {
    return isFolded ? [1, channels, images * height, width] : [images, channels, height, width];
  }
  /** Images and blocks of channels in each other's place, `size` numbers at a time. */
  function swapped(value: Value, before: number, after: number, size: number): Value {
    return emit("Transpose", [reshaped(value, [before, after, size])], { perm: [1, 0, 2] });
  }
  function extents(value: Value | null | undefined): readonly number[] | null {
    const shape = value ? types.get(value)?.shape : null;
    return shape?.every((extent) => typeof extent === "number") ? (shape as readonly number[]) : null;
  }
  function dtype(value: Value): Inferred["dtype"] {
    return types.get(value)?.dtype ?? value.dtype;
  }

  function plain(value: Value): void {
    const form = forms.get(value);
    if (!form || isPlain.has(value)) return;
    isPlain.add(value);
    const extents = image(value)!;
    const [images, channels, height, width] = extents;
    const isTruth = dtype(value) === "bool";
    let from = isTruth ? emit("Cast", [form], { to: 1 }) : form;
    const among = mixed.get(value);
    if (among) {
      const lines = swapped(from, channels / among / block, among, height * width * block);
      from = reshaped(lines, extents);
    }
    let back = emitBlocked("ReorderOutput", [from], { channels });
    if (isFolded && images > 1) back = reshaped(swapped(back, channels, images, height * width), extents);
    if (isTruth) emit("Cast", [back], { to: 9 });
    // The graph's own value is what the last node gives.
    work.nodes.at(-1)!.outputs[0] = value;
  }
  function blockedForm(value: Value): Value {
    const known = forms.get(value);
    if (known) return known;
    const extents = image(value)!;
    const [images, channels, height, width] = extents;
    const isTurned = isFolded && images > 1;
    const made = emitBlocked("ReorderInput", [
      isTurned ? reshaped(swapped(value, images, channels, height * width), inside(extents)) : value,
    ]);
    forms.set(value, made);
    return made;
  }
  function give(value: Value, form: Value): true {
    forms.set(value, form);
    return true;
  }

  function contents(value: Value | null | undefined): readonly number[] | null {
    const tensor = value && graph.initializers.get(value);
    return tensor ? integersOf(tensor) : null;
  }

  /** Whether a value lies in blocks as its extents say. */
  function isHeld(value: Value): boolean {
    return forms.has(value) && !mixed.has(value);
  }
}
