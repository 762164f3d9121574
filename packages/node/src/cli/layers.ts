import {
  type DefaultLayer,
  defaultLayer,
  type Graph,
  InputError,
  type Layer,
  listLayers,
  printShape,
  readModel,
  sizeOf,
} from "@graft-ml/core";
import { resolveBackbone } from "../backbones/index.ts";
import { command } from "./command.ts";
import type { Terminal } from "./terminal.ts";

export const layers = command({
  about: "Lists the layers of a network: where features can be taken, and where they are by default.",
  operands: ["BACKBONE"],
  options: {},
  example: "graft layers models/mobilenet_v2",
  async run({ operands, terminal, signal }) {
    const spec = operands[0]!;
    // How pixels are scaled changes nothing about the layers, so a network that does not say so is listed too.
    const backbone = await resolveBackbone(spec, { assume: "unit", signal, onProgress: terminal.progress });
    if (backbone.model === null) {
      throw new InputError(`backbone ${spec} has no network, so no layers; pass an .onnx file or a folder`);
    }
    const model = readModel(backbone.model, { source: backbone.path!, externalData: backbone.externalData });
    const chosen: DefaultLayer =
      backbone.layer === null
        ? defaultLayer(model)
        : { name: backbone.layer, reason: "the layer that run took its features from" };
    const listed = listLayers(model).map((layer) => ({ ...layer, default: layer.name === chosen.name }));
    const parameters = parametersOf(model.graph);
    const inputs = model.graph.inputs
      .filter((input) => !model.graph.initializers.has(input))
      .map(({ name, dtype, shape }) => ({ name, dtype, shape }));
    printLayers(terminal, listed);
    terminal.print();
    for (const { name, dtype, shape } of inputs)
      terminal.print(`input    ${name}: ${dtype ?? "?"}${printShape(shape)}`);
    terminal.print(`layers   ${listed.length}, ${parameters.toLocaleString("en")} parameters in the network`);
    terminal.print(`default  ${chosen.name}: ${chosen.reason}`);
    return {
      backbone: backbone.name,
      sha256: backbone.sha256,
      modality: backbone.modality,
      inputs,
      parameters,
      default: chosen,
      layers: listed,
    };
  },
});

function printLayers(terminal: Terminal, listed: readonly Layer[]): void {
  const rows = listed.map((layer) => [
    layer.default ? "→" : "",
    layer.name,
    layer.operator,
    printShape(layer.shape),
    layer.parameters.toLocaleString("en"),
  ]);
  const table = [["", "layer", "operator", "shape", "parameters"], ...rows];
  const width = table[0]!.map((_, c) => Math.max(...table.map((cells) => cells[c]!.length)));
  for (const cells of table) {
    const line = cells.map((cell, c) => (c === 4 ? cell.padStart(width[c]!) : cell.padEnd(width[c]!)));
    terminal.print(line.join("  ").trimEnd());
  }
}

/** Numbers in the weights of a network, in one byte where it is quantised; shapes and indices are none. */
function parametersOf(graph: Graph): number {
  let count = 0;
  for (const { dtype, shape } of graph.initializers.values()) {
    if (!/^(u?int(16|32|64)|bool|string)$/.test(dtype)) count += sizeOf(shape);
  }
  return count;
}
