import { build, emptyGraph, InputError, writeModel } from "@graft-ml/core";
import type { Connection } from "./connection.ts";

/** Throws an InputError unless a small model runs on `device`; `settings` are those of the sessions to come. */
export async function requireDevice(
  thread: Connection,
  device: string,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  const known = (await thread.ask("devices", {}, [])) as string[];
  let reason = `this build of ONNX Runtime knows ${known.join(", ")}`;
  if (known.includes(device)) {
    try {
      await thread.ask("load", { session: -1, model: probe(), options: settings }, []);
      await thread.ask("close", { session: -1 }, []);
      return;
    } catch (error) {
      if (!thread.alive()) throw error;
      reason = (error as Error).message.trim().replace(/^.*?: (?=[A-Z])/, "");
    }
  }
  throw new InputError(`device ${device} is not available here (${reason}); use cpu`);
}

function probe(): Uint8Array {
  const graph = emptyGraph("probe");
  const b = build(graph);
  const y = b.apply("Add", [b.input("x", "float32", [1]), 1]);
  graph.outputs.push(Object.assign(y, { dtype: "float32", shape: [1] }));
  return writeModel({
    graph,
    opsets: new Map([["", 13]]),
    irVersion: 8,
    producer: { name: "graft", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  });
}
