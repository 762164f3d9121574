import {
  cloneModel,
  type Scheme,
  type TagFeeder,
  type TaggerSpec,
  taggerOf,
  type Unit,
} from "@graft-ml/core";
import { heldScore } from "../tagging/held-score.ts";
import type { Sentence } from "../tagging/sentences.ts";
import { boundNetwork } from "./bound-network.ts";
import type { OpenTask } from "./kind.ts";
import { proveTags } from "./prove-tags.ts";
import type { TokenTask } from "./token-task.ts";

/** What tags of a network are judged by. */
export interface TagsJudged {
  readonly spec: TaggerSpec;
  /** Scheme the data are written in; null where tags write no spans. */
  readonly scheme: Scheme | null;
  readonly unit: Unit;
  /** All sentences: those trained on, then those held out. */
  readonly rows: readonly Sentence[];
  readonly trained: number;
  /** What feeds the network where it is no tagger's trunk. */
  readonly feeder?: TagFeeder;
}

/** How a network that tags is judged on held-out and on test sentences: by F1 of spans, else by accuracy. */
export function judgedTags(
  { model, learns }: TokenTask,
  { spec, scheme, unit, rows, trained, feeder }: TagsJudged,
): Pick<OpenTask, "measure" | "baseline" | "openScorer" | "prove"> {
  return {
    measure: scheme === null ? "share of tokens that are wrong" : "1 − F1 of spans",
    async baseline() {
      // Without a span none is right.
      if (scheme !== null) return 1;
      const counts = new Map<string, number>();
      const tagged = (from: readonly Sentence[]) => from.flatMap(({ tokens }) => tokens.tags ?? []);
      const known = tagged(rows.slice(0, trained));
      const held = tagged(rows.slice(trained));
      for (const tag of known.length > 0 ? known : held) counts.set(tag, (counts.get(tag) ?? 0) + 1);
      const [commonest] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
      return Math.max(1e-3, held.filter((tag) => tag !== commonest).length / Math.max(1, held.length));
    },
    async openScorer(runtime, held) {
      const { session, set } = await boundNetwork(cloneModel(model), learns!, runtime);
      const tagger = taggerOf(spec, session, feeder);
      const sentences = Array.from(held, (row) => rows[row]!);
      return {
        async loss(parameters) {
          await set(parameters);
          const found = await tagger.tag(sentences.map(({ tokens }) => tokens.texts));
          return (scheme === null ? 1 : 1.001) - heldScore(sentences, found, spec, scheme);
        },
        close: () => session.close(),
      };
    },
    prove: (context) => proveTags(context, { spec, scheme, unit, ...(feeder && { feeder }) }),
  };
}
