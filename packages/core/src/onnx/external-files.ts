import { readEntries } from "./entries.ts";
import { parseExternal } from "./external.ts";
import { ProtoReader } from "./protobuf.ts";
import { ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, SPARSE, TENSOR, TRAINING } from "./schema.ts";

/** Which fields of a message hold which messages, down to the tensors. */
interface Layout {
  readonly [field: number]: () => Layout | "tensor";
}

const sparse: Layout = { [SPARSE.values]: () => "tensor", [SPARSE.indices]: () => "tensor" };
const attribute: Layout = {
  [ATTRIBUTE.tensor]: () => "tensor",
  [ATTRIBUTE.tensors]: () => "tensor",
  [ATTRIBUTE.sparse]: () => sparse,
  [ATTRIBUTE.sparses]: () => sparse,
  [ATTRIBUTE.graph]: () => graph,
  [ATTRIBUTE.graphs]: () => graph,
};
const node: Layout = { [NODE.attribute]: () => attribute };
const graph: Layout = {
  [GRAPH.node]: () => node,
  [GRAPH.initializer]: () => "tensor",
  [GRAPH.sparseInitializer]: () => sparse,
};
const model: Layout = {
  [MODEL.graph]: () => graph,
  [MODEL.training]: () => ({ [TRAINING.initialization]: () => graph, [TRAINING.algorithm]: () => graph }),
  [MODEL.function]: () => ({ [FUNCTION.node]: () => node, [FUNCTION.default]: () => attribute }),
};

/**
 * The files that a model's tensors lie in, by location relative to the model's folder, each once, sorted: to be read
 * before `readModel`. Throws InputError for a damaged file and for a location outside that folder.
 */
export function externalFiles(bytes: Uint8Array, source = "model"): string[] {
  const locations = new Set<string>();
  collect(new ProtoReader(bytes, source), model, locations);
  return [...locations].sort();
}

function collect(reader: ProtoReader, layout: Layout, locations: Set<string>): void {
  for (let field = reader.next(); field; field = reader.next()) {
    const inner = layout[field]?.();
    if (inner === undefined) reader.unknown();
    else if (inner === "tensor") collectTensor(reader.message(), locations);
    else collect(reader.message(), inner, locations);
  }
}

function collectTensor(reader: ProtoReader, locations: Set<string>): void {
  const entries = new Map<string, string>();
  let name = "";
  let isExternal = false;
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === TENSOR.external) readEntries(reader, entries);
    else if (field === TENSOR.location) isExternal = reader.integer() === 1;
    else if (field === TENSOR.name) name = reader.string();
    else reader.unknown();
  }
  if (isExternal) locations.add(parseExternal(entries, `${reader.source}: tensor "${name}"`).location);
}
