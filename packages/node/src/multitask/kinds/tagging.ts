import {
  cloneModel,
  convertTags,
  type Runtime,
  type Scheme,
  schemeOf,
  type TaggerSpec,
  type TagHead,
  taggerOf,
} from "@graft-ml/core";
import { heldScore, tagList } from "../../tagging/learn-tagger.ts";
import type { Sentence } from "../../tagging/sentences.ts";
import { boundNetwork } from "../bound-network.ts";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";
import { proveTags } from "../prove-tags.ts";
import { overSentences } from "../sentence-trunk.ts";
import { tokenTask } from "../token-task.ts";

/** A tag for each token of a sentence, by a head on a tagger's trunk. */
export const tagging: TaskKind = {
  about: "a tag for each token: parts of speech, entities, chunks; needs a tagger's trunk",
  options: {
    head: {
      type: "choice",
      default: "auto",
      of: ["auto", "crf", "softmax"],
      about: "whole sequences or each token by itself; auto takes sequences where tags write spans",
    },
  },
  labels: "required",
  isTagged: true,
  modality: "text",
  open: opened,
};

function opened(context: KindContext): OpenTask {
  const { name, layer, settings, rows, trained, random } = context;
  const over = overSentences("tagging", context);
  const all = rows as readonly Sentence[];
  const { scheme } = schemeOf(all.slice(0, trained).map(({ tokens }) => tokens.tags!));
  // Ends and single tokens have tags of their own inside the model, whatever the data write.
  const inner: Scheme | null = scheme === null ? null : "BIOES";
  const tagged = all
    .slice(0, trained)
    .map(({ tokens }) => (inner === null ? tokens.tags! : convertTags(tokens.tags!, inner)));
  const tags = tagList(tagged);
  const numbers = new Map(tags.map((tag, i) => [tag, i]));
  const ids = tagged.map((one) => Int32Array.from(one, (tag) => numbers.get(tag)!));
  const kind = settings.head === "auto" ? (scheme === null ? "softmax" : "crf") : settings.head;
  const head: TagHead = { name: `heads.${name}`, kind: kind as TagHead["kind"], tags: tags.length };
  const spec: TaggerSpec = { version: 1, tags, scheme: inner, head, trunk: over.sentences.trunk };
  const task = tokenTask({ ...over, layer, head, random, labels: (row) => ids[row]! });
  return {
    ...task,
    measure: scheme === null ? "share of tokens that are wrong" : "1 − F1 of spans",
    async baseline() {
      if (scheme !== null) return 1;
      const counts = new Map<string, number>();
      for (const tag of tagged.flat()) counts.set(tag, (counts.get(tag) ?? 0) + 1);
      const [commonest] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
      const held = all.slice(trained).flatMap(({ tokens }) => tokens.tags!);
      return Math.max(1e-3, held.filter((tag) => tag !== commonest).length / Math.max(1, held.length));
    },
    openScorer: (runtime, held) =>
      heldScorer(
        runtime,
        task,
        spec,
        scheme,
        Array.from(held, (row) => all[row]!),
      ),
    prove: (proving) => proveTags(proving, { spec, scheme, unit: over.sentences.unit }),
  };
}

/** How wrong the best tags of held-out sentences are. */
async function heldScorer(
  runtime: Runtime,
  { model, learns }: Pick<OpenTask, "model" | "learns">,
  spec: TaggerSpec,
  scheme: Scheme | null,
  held: readonly Sentence[],
) {
  const { session, set } = await boundNetwork(cloneModel(model), learns!, runtime);
  const tagger = taggerOf(spec, session);
  return {
    async loss(parameters: Parameters<typeof set>[0]) {
      await set(parameters);
      const found = await tagger.tag(held.map(({ tokens }) => tokens.texts));
      return (scheme === null ? 1 : 1.001) - heldScore(held, found, spec, scheme);
    },
    close: () => session.close(),
  };
}
