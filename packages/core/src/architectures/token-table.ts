import { type Builder, ints } from "../ir/build.ts";
import type { Value } from "../ir/graph.ts";
import { int64 } from "../tensor.ts";
import { blank } from "./blank.ts";

/** What architectures of texts know of their tokens' vectors. */
export const tableOptions = {
  given: {
    type: "number",
    default: 0,
    min: 0,
    max: 1_000_000,
    about: "of the vocabulary the last tokens, whose vectors are given and never learn",
  },
} as const;

/** Name of the table of vectors that never learn [given, width]. */
export const GIVEN_EMBEDDINGS = "embeddings.given";

/**
 * The vectors of tokens [batch, sequence, width]: those of the first `vocabulary − given` from the table
 * `name`, which is a parameter, the others from `GIVEN_EMBEDDINGS`, which is none, whoever trains the
 * network.
 */
export function tokenRows(
  b: Builder,
  ids: Value,
  name: string,
  {
    vocabulary,
    given,
    width,
  }: { readonly vocabulary: number; readonly given: number; readonly width: number },
): Value {
  const learnt = vocabulary - given;
  const own = b.constant(blank([learnt, width]), name);
  if (given === 0) return b.apply("Gather", [own, ids], { axis: 0 });
  const table = b.constant(blank([given, width]), GIVEN_EMBEDDINGS);
  const first = int64([], [learnt]);
  const isGiven = b.apply("GreaterOrEqual", [ids, first]);
  const none = int64([], [0]);
  const place = b.apply("Where", [isGiven, b.apply("Sub", [ids, first]), none]);
  // GatherND, because a table that Gather reads is an embedding to be learnt.
  const rows = b.apply("GatherND", [table, b.apply("Unsqueeze", [place, ints([-1])])]);
  const learning = b.apply("Gather", [own, b.apply("Where", [isGiven, none, ids])], { axis: 0 });
  return b.apply("Where", [b.apply("Unsqueeze", [isGiven, ints([-1])]), rows, learning]);
}
