import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { Scheme } from "@graft-ml/core";
import { VERSION } from "../version.ts";
import type { TaggerConfig } from "./config.ts";
import type { LearntTagger } from "./learn-tagger.ts";
import type { Sentence } from "./sentences.ts";

/** What config.json says of a tagger. */
export function configOf(
  { spec, model, chosen, reason }: LearntTagger,
  about: {
    readonly scheme: Scheme | null;
    readonly train: readonly Sentence[];
    readonly backbone: string;
    readonly source: {
      readonly sha256: string;
      readonly commit?: string | null;
      readonly licence?: string | null;
    } | null;
    readonly arch: string;
    readonly method: string;
    readonly seed: number;
    readonly column: string | null;
  },
): TaggerConfig {
  const { scheme, train, backbone, arch, seed, column } = about;
  const counts = tagCounts(train);
  let [letters, tokens] = [0, 0];
  for (const { tokens: own } of train)
    for (const token of own.texts) {
      letters += [...token].length;
      tokens++;
    }
  const tags = [...counts.keys()].sort();
  return {
    graft: VERSION,
    task: "token-classification",
    id2label: Object.fromEntries(tags.map((tag, i) => [String(i), tag])),
    label2id: Object.fromEntries(tags.map((tag, i) => [tag, i])),
    scheme,
    unit: letters / tokens < 1.1 ? "characters" : "words",
    column,
    backbone: {
      spec: backbone,
      name: basename(backbone.replace(/^\w+:/, "")),
      sha256: about.source?.sha256 ?? null,
      commit: about.source?.commit ?? null,
      licence: about.source?.licence ?? null,
    },
    layer: arch,
    method: about.method,
    head: arch === "linear" ? "perceptron" : spec.head.kind,
    reason,
    chosen,
    trainingCounts: tags.map((tag) => counts.get(tag)!),
    seed,
    batchSize: 1,
    sha256: createHash("sha256").update(model).digest("hex"),
  };
}

/** Tokens of each tag. */
export function tagCounts(sentences: readonly Sentence[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { tokens } of sentences)
    for (const tag of tokens.tags!) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return counts;
}
