import {
  type Model,
  type Scheme,
  type TagFeeder,
  type TaggerSpec,
  taggerOf,
  type Unit,
  writeModel,
} from "@graft-ml/core";
import { outputModel, taggerHead } from "../runs/task-config.ts";
import { takingOwn } from "../runtime/index.ts";
import { tagCounts } from "../tagging/describe-tagger.ts";
import { tagBaselines, tagTest } from "../tagging/metrics.ts";
import { shown, TOLERANCE } from "../tagging/open-tagger-run.ts";
import { predictionLine } from "../tagging/predictions.ts";
import { comparison, goldenOf, unknownTags } from "../tagging/prove-tagger.ts";
import { worstSentences } from "../tagging/report.ts";
import type { Sentence } from "../tagging/sentences.ts";
import type { Findings, ProveContext } from "./kind.ts";

/** What test sentences say of networks that tag: F1 of spans, or the accuracy by token where tags write none. */
export async function proveTags(
  context: ProveContext,
  about: {
    readonly spec: TaggerSpec;
    readonly scheme: Scheme | null;
    readonly unit: Unit;
    /** What feeds the network where it is no tagger's trunk. */
    readonly feeder?: TagFeeder;
  },
): Promise<Findings> {
  const { name, kept, joint, alone, unkept, isBefore, seed, classes, column } = context;
  const { scheme, unit } = about;
  const [train, test] = [context.train, context.test] as readonly (readonly Sentence[])[];
  const spec: TaggerSpec = { ...about.spec, head: taggerHead(about.spec.head, name) };
  const words = new Set(train!.flatMap(({ tokens }) => tokens.texts));
  const tagged = train!.filter(({ tokens }) => tokens.tags !== null);
  const of = async (network: Model) => {
    const found = await tags(context, network, spec, test!, about.feeder);
    const sentences = shown(found, spec, { scheme });
    const scores = tagTest(test!, found, { spec, scheme, seed, knows: (token) => words.has(token) });
    return { sentences, scores, tags: sentences.map((one) => one.tags) };
  };
  const ours = await of(kept);
  const again = async (network: Model) => (network === kept ? ours : await of(network));
  const together = await again(joint);
  const apart = alone && (await again(alone));
  const headline = ({ scores }: typeof ours) => scores.spanF1 ?? scores.accuracy;
  const gain = apart && comparison(test!, together.tags, apart.tags, scheme, seed);
  const counts = tagCounts(tagged);
  return {
    metrics: {
      measure: scheme === null ? "accuracy by token" : "F1 of spans",
      test: ours.scores,
      joint: headline(together),
      alone: apart && headline(apart),
      aloneInterval: apart && (apart.scores.spans?.interval ?? apart.scores.interval),
      gain: gain && { ...gain, against: isBefore ? "before" : "alone", pValue: null },
      unkept: unkept && headline(await of(unkept)),
      // Without a span there is none that is right.
      majority: scheme === null ? tagBaselines(tagged.length > 0 ? tagged : test!, test!).majority : 0,
    },
    predictions: test!.map((row, i) =>
      JSON.stringify({ task: name, ...JSON.parse(predictionLine(row, ours.sentences[i]!)) }),
    ),
    golden: { tolerance: TOLERANCE, sentences: goldenOf(test!, ours.sentences) },
    config: {
      task: "token-classification",
      id2label: Object.fromEntries(classes.map((tag, i) => [String(i), tag])),
      label2id: Object.fromEntries(classes.map((tag, i) => [tag, i])),
      head: spec.head.kind,
      trainingCounts: classes.map((tag) => counts.get(tag) ?? 0),
      tagger: {
        tags: spec.tags,
        scheme: spec.scheme,
        head: spec.head,
        words: wordsFile(name),
        ...(spec.trunk.kind === "pretrained" && { trunk: spec.trunk }),
      },
      ...{ scheme, unit, column },
    },
    files: { [wordsFile(name)]: [...words].sort().join("\n") },
    shown: {
      errors: [],
      worst: worstSentences(test!, ours.sentences),
      notes: unknownTags(test!, new Set(classes)),
    },
  };
}

/** The file with every word of a task's training part. */
function wordsFile(task: string): string {
  return `words.${task}.txt`;
}

async function tags(
  { name, runtime, onProgress, signal }: ProveContext,
  network: Model,
  spec: TaggerSpec,
  test: readonly Sentence[],
  feeder?: TagFeeder,
) {
  const session = takingOwn(await runtime.load(writeModel(outputModel(network, name))));
  const tagger = taggerOf(spec, session, feeder);
  try {
    const texts = test.map(({ tokens }) => tokens.texts);
    const tagged = await tagger.tag(texts, { probabilities: true, onProgress, signal });
    signal?.throwIfAborted();
    return tagged;
  } finally {
    await tagger.close();
  }
}
