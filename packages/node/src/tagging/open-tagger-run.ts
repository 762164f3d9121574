import { createHash } from "node:crypto";
import {
  type Dataset,
  InputError,
  openTagger,
  type Runtime,
  readModel,
  schemeOf,
  type Tagged,
  type TaggerSpec,
  taggerOf,
  writeModel,
} from "@graft-ml/core";
import { readRunBytes, readRunJson, runFiles } from "../runs/folder.ts";
import { outputModel } from "../runs/task-config.ts";
import { takingOwn } from "../runtime/index.ts";
import { readTaggerConfig, type TaggerConfig } from "./config.ts";
import { type TaggingTest, tagTest, writtenTags } from "./metrics.ts";
import { feederOfRun } from "./pretrained-trunk.ts";
import type { Sentence } from "./sentences.ts";

/** How long work says how far it is and when it is to stop. */
export interface TagRunOptions {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A sentence with its tags as they are written, and how probable each is. */
export interface TaggedSentence {
  readonly tags: readonly string[];
  /** Probability of each tag given [length]. */
  readonly probabilities: Float32Array;
}

/** One golden sentence: tokens and what is expected of them. */
export interface GoldenSentence {
  readonly tokens: readonly string[];
  readonly tags: readonly string[];
  readonly probabilities: readonly number[];
}

interface Golden {
  readonly sentences: readonly GoldenSentence[];
}

/** A tagger that Graft trained, ready to tag. */
export interface TaggerRun {
  readonly folder: string;
  readonly config: TaggerConfig;
  readonly spec: TaggerSpec;
  tag(sentences: readonly (readonly string[])[], options?: TagRunOptions): Promise<TaggedSentence[]>;
  /** Scores on tagged sentences. Throws an InputError where none of their tags is one the model gives. */
  evaluate(data: Dataset, options?: TagRunOptions & { readonly seed?: number }): Promise<TaggingTest>;
  /** Replays the golden sentences. */
  verify(): Promise<TaggingReplay>;
  close(): Promise<void>;
}

/** What replaying golden sentences found. */
export interface TaggingReplay {
  readonly rows: number;
  readonly largestDifference: number;
  readonly tolerance: number;
  readonly drifted: readonly {
    readonly where: string;
    readonly difference: number;
    readonly expected: string;
    readonly got: string;
  }[];
}

/** Largest difference of a probability that passes. */
export const TOLERANCE = 1e-3;

/**
 * Opens a RUN folder that tags; its model must be the one that was written with its config.json. Of a RUN
 * with several tasks,
 * `task` names the one that is wanted.
 */
export async function openTaggerRun(
  folder: string,
  { runtime, task = null }: { readonly runtime: Runtime; readonly task?: string | null },
): Promise<TaggerRun> {
  const { config, spec, file, words, task: own } = await readTaggerConfig(folder, task);
  const bytes = await readRunBytes(folder, file);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  if (sha256 !== config.sha256)
    throw new InputError(
      `${folder}/${file} is not the model of this run: its sha256 is ${sha256.slice(0, 12)}…, config.json says ${config.sha256.slice(0, 12)}…; train again or restore the file`,
    );
  const whole = readModel(bytes, { source: `${folder}/${file}` });
  const feeder = spec.trunk.kind === "pretrained" ? await feederOfRun(folder, whole) : null;
  const tagger =
    own === null
      ? await openTagger(spec, bytes, runtime, feeder?.feeds)
      : taggerOf(spec, takingOwn(await runtime.load(writeModel(outputModel(whole, own)))), feeder?.feeds);
  const seen = new Set(new TextDecoder().decode(await readRunBytes(folder, words)).split("\n"));
  const both = async (sentences: readonly (readonly string[])[], options: TagRunOptions = {}) => {
    const tagged = await tagger.tag(sentences, { probabilities: true, ...options });
    options.signal?.throwIfAborted();
    return tagged;
  };
  const run: TaggerRun = {
    folder,
    config,
    spec,
    async tag(sentences, options) {
      return shown(await both(sentences, options), spec, config);
    },
    async evaluate(data, { seed = 0, ...options } = {}) {
      const sentences = taggedSentences(data, folder);
      const known = new Set(Object.values(config.id2label));
      if (!sentences.some(({ tokens }) => tokens.tags!.some((tag) => known.has(tag))))
        throw new InputError(
          `${data.source}: none of its tags (${data.classes.slice(0, 8).join(", ")}) is one that ${folder} gives (${[...known].slice(0, 8).join(", ")}); evaluate it on data with the same tags, or name their column with --column`,
        );
      const tagged = await both(
        sentences.map(({ tokens }) => tokens.texts),
        options,
      );
      const scheme =
        config.scheme === null ? null : schemeOf(sentences.map(({ tokens }) => tokens.tags!)).scheme;
      return tagTest(sentences, tagged, {
        spec,
        scheme: scheme ?? config.scheme,
        seed,
        knows: (token) => seen.has(token),
      });
    },
    async verify() {
      const read = (await readRunJson(folder, runFiles.golden)) as Golden & {
        tasks?: Record<string, Golden>;
      };
      const golden = own === null ? read : read.tasks![own]!;
      const again = await run.tag(golden.sentences.map(({ tokens }) => tokens));
      let largest = 0;
      const drifted: TaggingReplay["drifted"][number][] = [];
      for (const [i, expected] of golden.sentences.entries()) {
        const got = again[i]!;
        const difference = expected.probabilities.reduce(
          (most, p, t) => Math.max(most, Math.abs(p - got.probabilities[t]!)),
          0,
        );
        largest = Math.max(largest, difference);
        if (difference > TOLERANCE || got.tags.join(" ") !== expected.tags.join(" "))
          drifted.push({
            where: `golden sentence ${i + 1}`,
            difference,
            expected: expected.tags.join(" "),
            got: got.tags.join(" "),
          });
      }
      return { rows: golden.sentences.length, largestDifference: largest, tolerance: TOLERANCE, drifted };
    },
    close: () => tagger.close(),
  };
  return run;
}

/** Tags as they are written, with the probability of each. */
export function shown(
  tagged: readonly Tagged[],
  spec: TaggerSpec,
  { scheme }: Pick<TaggerConfig, "scheme">,
): TaggedSentence[] {
  const tags = writtenTags(tagged, spec, scheme);
  return tagged.map(({ tags: ids, probabilities }, i) => ({
    tags: tags[i]!,
    probabilities: Float32Array.from(ids, (id, t) => probabilities?.[t * spec.tags.length + id] ?? 0),
  }));
}

/** The sentences of a data set of tagged tokens. */
export function taggedSentences(data: Dataset, folder: string): Sentence[] {
  if (data.task !== "token-classification")
    throw new InputError(
      `${data.source} is for ${data.task}, but ${folder} was trained for token-classification; give it tagged tokens`,
    );
  return data.rows.filter(
    (row): row is Sentence => (row.tokens?.texts.length ?? 0) > 0 && row.tokens!.tags !== null,
  );
}
