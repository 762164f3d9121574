import {
  type Batch,
  bucketOf,
  type Feeds,
  keepMasks,
  type Random,
  type Row,
  tagBatches,
  vectorRows,
} from "@graft-ml/core";
import type { RowInputs } from "../training/index.ts";
import type { SentenceTrunk } from "./sentence-trunk.ts";

/** What a task's rows are fed as, and how they are put into batches where that is not by their number. */
export interface TaskInputs extends RowInputs {
  batches?(rows: Int32Array, random: Random | null): Batch[];
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
    batches(wanted, source) {
      const lengths = Array.from(wanted, (row) => tokens[row]!.length);
      return tagBatches(lengths, batchTokens, MOST, source).map(({ sentences: found, rows: size }) => ({
        rows: Int32Array.from({ length: size }, (_, i) => wanted[found[i] ?? found[0]!]!),
        count: found.length,
      }));
    },
  };
}
