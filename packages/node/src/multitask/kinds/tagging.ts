import { convertTags, type Scheme, schemeOf, type TaggerSpec, type TagHead } from "@graft-ml/core";
import { tagList } from "../../tagging/learn-tagger.ts";
import type { Sentence } from "../../tagging/sentences.ts";
import { judgedTags } from "../judged-tags.ts";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";
import { unitOf } from "../sentence-rows.ts";
import { feederOf, onSubWords } from "../sub-word-trunk.ts";
import { onSentences, tokenTask } from "../token-task.ts";

/** A tag for each token of a sentence, by a head on a tagger's trunk or on an encoder of sub-words. */
export const tagging: TaskKind = {
  about: "a tag for each token: parts of speech, entities, chunks",
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
  const { name, layer, settings, trained, trunk, random, inputs } = context;
  const rows = context.rows as readonly Sentence[];
  const written = rows.slice(0, trained).map(({ tokens }) => tokens.tags!);
  const { scheme } = schemeOf(written);
  // Ends and single tokens have tags of their own inside the model, whatever the data write.
  const inner: Scheme | null = scheme === null ? null : "BIOES";
  const tagged = inner === null ? written : written.map((tags) => convertTags(tags, inner));
  const tags = tagList(tagged);
  const numbers = new Map(tags.map((tag, i) => [tag, i]));
  const ids = tagged.map((one) => Int32Array.from(one, (tag) => numbers.get(tag)!));
  const kind = settings.head === "auto" ? (scheme === null ? "softmax" : "crf") : settings.head;
  const head: TagHead = { name: `heads.${name}`, kind: kind as TagHead["kind"], tags: tags.length };
  const labels = (row: number) => ids[row]!;
  const judged = { scheme, rows, trained };
  if (trunk.sentences) {
    const task = tokenTask(onSentences(trunk.sentences, layer, head, random), { head, inputs, labels });
    const spec: TaggerSpec = { version: 1, tags, scheme: inner, head, trunk: trunk.sentences.trunk };
    return { ...task, ...judgedTags(task, { ...judged, spec, unit: trunk.sentences.unit }) };
  }
  const { spec: own, ...network } = onSubWords(trunk, layer, head, random);
  const task = tokenTask(network, { head, inputs, labels });
  const spec: TaggerSpec = { version: 1, tags, scheme: inner, head, trunk: own };
  const feeder = feederOf(trunk).feeds;
  return { ...task, ...judgedTags(task, { ...judged, spec, unit: unitOf(rows), feeder }) };
}
