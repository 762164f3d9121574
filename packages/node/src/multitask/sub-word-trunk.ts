import {
  appendTagHead,
  bucketOf,
  build,
  InputError,
  irVersionFor,
  type Model,
  opsetOf,
  type PretrainedTrunk,
  type Random,
  type Row,
  type TagHead,
} from "@graft-ml/core";
import { TOKEN_STATES } from "../tagging/pretrained-trunk.ts";
import { type SubWords, subWords, TOKEN_PLACES } from "../tagging/sub-words.ts";
import type { TaskInputs } from "./sentence-inputs.ts";
import { tokenRows } from "./token-rows.ts";
import type { Trunk } from "./trunk.ts";

/** What feeds given tokens to a trunk of sub-words, from the files that travel with the run. */
export function feederOf(trunk: Trunk): SubWords {
  const files = trunk.preprocessor.files();
  const read = (name: string) =>
    name in files ? JSON.parse(Buffer.from(files[name]! as Uint8Array).toString("utf8")) : null;
  const json = read("tokenizer.json");
  if (json === null)
    throw new InputError(`${trunk.name} has no tokenizer, so it cannot be fed the tokens that tags stand on`);
  const { graph } = trunk.model;
  return subWords({
    tokenizer: { json, config: read("tokenizer_config.json") },
    inputs: graph.inputs.filter((input) => !graph.initializers.has(input)),
  });
}

/** Sentences of given tokens as a trunk of sub-words takes them; those of about one length go together. */
export function subWordInputs(rows: readonly Row[], feeder: SubWords): TaskInputs {
  const tokens = rows.map((row) => row.tokens!.texts);
  const counts = tokens.map((one) => feeder.countOf(one));
  const extentOf = (row: number) => Math.min(feeder.window, bucketOf(counts[row]!));
  return {
    bytes: 0,
    extentOf,
    async feeds(wanted) {
      const members = Array.from(wanted, (row) => tokens[row]!);
      // A longer sentence is seen in several windows.
      if (wanted.some((row) => counts[row]! > feeder.window))
        return feeder.feeds(members, bucketOf(Math.max(...members.map(({ length }) => length))));
      const extent = extentOf(wanted[0]!);
      return feeder.feeds(members, extent, { rows: members.length, extent });
    },
  };
}

/** A trunk of sub-words up to a layer with a head on the state of each token's first sub-word. */
export function onSubWords(
  trunk: Trunk,
  layer: string | null,
  head: TagHead,
  random: Random,
): {
  readonly model: Model;
  readonly layer: string;
  readonly learns: ReadonlySet<string>;
  spec: PretrainedTrunk;
} {
  const rows = tokenRows(trunk.model, layer);
  const { graph } = rows.model;
  const b = build(graph);
  const places = b.input(TOKEN_PLACES, "int64", ["sentences", "length"]);
  const states = b.apply("Gather", [graph.outputs[0]!, places], { axis: 0 }, { name: TOKEN_STATES });
  graph.outputs = [];
  appendTagHead(b, states, rows.dimension, head, random);
  const { model } = rows;
  const names = [...graph.initializers].flatMap(([{ name }, { dtype }]) =>
    dtype === "float32" && (trunk.trained.has(name) || name.startsWith(`${head.name}.`)) ? [name] : [],
  );
  return {
    model: { ...model, irVersion: Math.max(model.irVersion, irVersionFor(opsetOf(model))) },
    layer: rows.layer,
    learns: new Set(names),
    spec: { kind: "pretrained", layer: rows.layer, width: rows.dimension, window: feederOf(trunk).window },
  };
}
