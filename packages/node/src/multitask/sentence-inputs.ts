import {
  type Batch,
  batchesAtOnce,
  bucketOf,
  type Feeds,
  keepMasks,
  type Random,
  type Row,
  type Runtime,
  tagBatches,
  vectorRows,
} from "@graft-ml/core";
import type { RowInputs } from "../training/index.ts";
import type { SentenceTrunk } from "./sentence-trunk.ts";

/** What a task's rows are fed as, and how they are put into batches where that is not by their number. */
export interface TaskInputs extends RowInputs {
  batches?(rows: Int32Array, random: Random | null): Batch[];
  /** Those of an epoch by step; each is several smaller ones where a runtime has lanes and there is much to learn from. */
  steps?(rows: Int32Array, random: Random, runtime: Pick<Runtime, "lanes">): Batch[][];
}

/** Most sentences a batch. */
const MOST = 64;

/**
 * Sentences as a tagger's trunk takes them. In an epoch words are hidden as rare ones are met and states are
 * masked; the same rows and epoch give the same bytes.
 */
export function sentenceInputs(
  rows: readonly Row[],
  sentences: SentenceTrunk,
  random: Random,
): Required<Pick<TaskInputs, "batches">> & TaskInputs {
  const { encoder, batchTokens, dropout, vectors, tunesVectors } = sentences;
  const { keeps } = sentences.open(null, true);
  const tokens = rows.map((row) => row.tokens!.texts);
  const batchesIn = (wanted: Int32Array, source: Random | null, atOnce: number): Batch[] => {
    const lengths = Array.from(wanted, (row) => tokens[row]!.length);
    return tagBatches(lengths, batchTokens, MOST, source, atOnce).map((batch) => ({
      rows: Int32Array.from(
        { length: batch.rows },
        (_, i) => wanted[batch.sentences[i] ?? batch.sentences[0]!]!,
      ),
      count: batch.sentences.length,
    }));
  };
  return {
    bytes: 0,
    async feeds(wanted, epoch) {
      const members = Array.from(wanted, (row) => tokens[row]!);
      const length = Math.max(...members.map((one) => bucketOf(one.length)));
      const shape = { rows: members.length, length };
      if (epoch === null) return encoder.feeds(members, shape);
      const source = random.fork(`epoch ${epoch}`).fork(`row ${wanted[0]}`);
      const feeds = encoder.feeds(members, { ...shape, random: source });
      const { vector_ids: ids, ...rest } = feeds;
      const seen: Feeds =
        ids !== undefined && !tunesVectors ? { ...rest, vector_rows: vectorRows(vectors!, ids) } : feeds;
      return { ...seen, ...keepMasks(keeps, members.length, dropout, source) };
    },
    batches: (wanted, source) => batchesIn(wanted, source, 1),
    steps(wanted, source, runtime) {
      const total = wanted.reduce((sum, row) => sum + tokens[row]!.length, 0);
      const atOnce = batchesAtOnce(total, batchTokens, runtime);
      const batches = batchesIn(wanted, source, atOnce);
      return Array.from({ length: Math.ceil(batches.length / atOnce) }, (_, step) =>
        batches.slice(step * atOnce, (step + 1) * atOnce),
      );
    },
  };
}
