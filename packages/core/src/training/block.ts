import { BLOCKED_DOMAIN } from "../autodiff/blocked-images.ts";
import { build, emptyGraph } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { float32 } from "../tensor.ts";

/**
 * How many channels lie together in the runtime's fast layout of images: 16 or 8 after what the processor can
 * do, 0 where the runtime has no such layout. For the option `block` of `planTraining`.
 */
export async function blockOf(runtime: Runtime): Promise<number> {
  if (runtime.device !== "cpu") return 0; // the layout is the processor's; others would leave their device for it
  const channels = 32;
  const graph = emptyGraph("probe");
  const b = build(graph);
  const x = b.input("x", "float32", [1, channels, 1, 2]);
  const y = b.apply("ReorderInput", [x], {}, { domain: BLOCKED_DOMAIN, name: "y" });
  graph.outputs.push(Object.assign(y, { dtype: "float32", shape: [1, channels, 1, 2] }));
  const model = writeModel({
    graph,
    opsets: new Map([
      ["", 17],
      [BLOCKED_DOMAIN, 1],
    ]),
    irVersion: 8,
    producer: { name: "graft", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  });
  const session = await runtime.load(model).catch(() => null); // another runtime, or one without the domain
  if (!session) return 0;
  try {
    // Channel c has 2c and 2c + 1: the second pixel of channel 0 comes after the first pixels of its block.
    const data = Float32Array.from({ length: 2 * channels }, (_, i) => i);
    const { y: out } = await session.run({ x: float32([1, channels, 1, 2], data) });
    const found = (out!.data as Float32Array).indexOf(1);
    const expected = [...data.keys()].map((at) => {
      const [start, within] = [at - (at % (2 * found)), at % (2 * found)];
      return start + 2 * (within % found) + Math.floor(within / found);
    });
    const isKnown = (found === 8 || found === 16) && expected.every((value, at) => out!.data[at] === value);
    return isKnown ? found : 0;
  } finally {
    await session.close();
  }
}
