import {
  type Dataset,
  InputError,
  normalisedText,
  type Random,
  type Row,
  type TaggedTokens,
} from "@graft-ml/core";

/** A row that has tokens. */
export type Sentence = Row & { readonly tokens: TaggedTokens };

/** Sentences of the parts, and what was done to them on the way, in words. */
export interface SentenceParts {
  readonly train: readonly Sentence[];
  /** Held out of training, to choose by. */
  readonly held: readonly Sentence[];
  readonly test: readonly Sentence[];
  readonly notes: readonly string[];
}

/** How sentences are parted where the data do not say. */
export interface PartingOptions {
  readonly random: Random;
  readonly testFraction: number;
}

/**
 * Share of the training sentences that are held out where the data bring no validation part, and the most of
 * them.
 */
const HELD = 0.1;
const MOST_HELD = 2000;

/**
 * The parts of tagged sentences. Official ones are honoured; with a validation part alone that is the test
 * part, and nothing is chosen on it. What is split off is whole documents where the data have some, and a
 * sentence that occurs twice stands on one side: training sentences that stand in a part that judges are left
 * out.
 */
export function sentenceParts(dataset: Dataset, { random, testFraction }: PartingOptions): SentenceParts {
  const rows = dataset.rows.filter((row): row is Sentence => (row.tokens?.texts.length ?? 0) > 0);
  const notes: string[] = [];
  let train = rows.filter(({ split }) => split === null || split === "train");
  let held = rows.filter(({ split }) => split === "val");
  let test = rows.filter(({ split }) => split === "test");
  if (test.length === 0 && held.length > 0) {
    [test, held] = [held, []];
    notes.push(
      "there is no test part: the official validation part is the test set, and nothing is chosen on it",
    );
  }
  if (test.length === 0) {
    [train, test] = parted(train, testFraction, Number.POSITIVE_INFINITY, random.fork("test"));
    notes.push(`no official test part: ${test.length} of ${train.length + test.length} sentences split off`);
  }
  const testKeys = new Set(test.map(keyOf));
  const before = train.length + held.length;
  train = train.filter((row) => !testKeys.has(keyOf(row)));
  held = held.filter((row) => !testKeys.has(keyOf(row)));
  if (held.length === 0) {
    [train, held] = parted(train, HELD, MOST_HELD, random.fork("held"));
    notes.push(`no validation part: ${held.length} training sentences are held out to choose by`);
  } else {
    const heldKeys = new Set(held.map(keyOf));
    train = train.filter((row) => !heldKeys.has(keyOf(row)));
  }
  const left = before - train.length - held.length;
  if (train.length + held.length === 0 && left > 0 && test.length > 0)
    throw new InputError(
      `${dataset.source}: all ${left} training sentences stand in the test part, too, and none is left to learn from; train on others`,
    );
  if (left > 0)
    notes.push(
      `${left} training or validation sentences left out: the same sentence stands in a part that judges`,
    );
  if (train.length === 0 || held.length === 0 || test.length === 0)
    throw new InputError(
      `${dataset.source}: too few sentences (${rows.length}) for parts to train, choose and test on (${train.length}, ${held.length}, ${test.length}); add sentences, or give the test part with --test`,
    );
  return { train, held, test, notes };
}

/** Sentences that remain and those split off: whole documents, at least one sentence, in the order they came. */
function parted(
  rows: readonly Sentence[],
  fraction: number,
  most: number,
  random: Random,
): [Sentence[], Sentence[]] {
  const groups = new Map<string, Sentence[]>();
  for (const row of rows) {
    const key = row.group === null ? `sentence ${keyOf(row)}` : `document ${row.group}`;
    const found = groups.get(key);
    if (found) found.push(row);
    else groups.set(key, [row]);
  }
  const wanted = Math.min(most, Math.max(1, Math.round(rows.length * fraction)));
  const members = [...groups.values()];
  const taken = new Set<Sentence>();
  if (members.length > 1)
    for (const i of random.permutation(members.length)) {
      const group = members[i]!;
      if (taken.size >= wanted) break;
      // A document far larger than what is wanted stays where it is.
      if (taken.size + group.length <= Math.max(wanted * 1.5, 1)) for (const row of group) taken.add(row);
    }
  return [rows.filter((row) => !taken.has(row)), rows.filter((row) => taken.has(row))];
}

function keyOf({ tokens }: Sentence): string {
  return normalisedText(tokens.texts.join(" "));
}
