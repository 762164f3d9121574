import {
  type Classifier,
  cosineSimilarity,
  type Feeds,
  float32,
  kFold,
  layerGroups,
  layerRates,
  type Model,
  optimizers,
  type Parameters,
  planTraining,
  rowWeights,
  schedules,
  type Trained,
  type TrainingPlan,
  train,
  type Value,
  withParameters,
} from "@graft-ml/core";
import { partsOf } from "./choose.ts";
import { headLoss } from "./head-loss.ts";
import type { Defaults } from "./methods.ts";
import { contrastPairs } from "./pairs.ts";
import { bestOf, FOLDS, isHopeless, type Trial, trialOf } from "./trials.ts";
import type { Work } from "./work.ts";

/** A trunk trained on pairs and a head on its features; null where no training was better on held-out rows. */
export interface Contrasted {
  readonly tuned: { readonly trunk: Model; readonly head: Classifier } | null;
  readonly depth: number;
  readonly rate: number;
  readonly epochs: number;
  readonly reason: string;
  readonly trials: readonly Trial[];
}

/**
 * Trains a trunk so that rows of one class lie close together: Σ (cos(u, v) − t)² over pairs of rows, then a
 * logistic head on the features (SetFit; Tunstall et al. 2022, https://arxiv.org/abs/2209.11055). What
 * settings leave open is chosen on three folds of the rows, by the log loss of heads fitted before and after.
 */
export async function contrast(
  work: Work,
  { epochs, rates, depths: [wanted = null] }: Defaults,
): Promise<Contrasted> {
  const { options, settings } = work;
  const { rows, trunk } = options;
  const all = Int32Array.from(rows.keys());
  const groups = layerGroups(trunk);
  const depth = Math.min(wanted ?? groups.length, groups.length);
  const finished = async (rate: number, stopAfter: number, reason: string, trials: readonly Trial[]) => {
    const run = { name: "training", rows: all, depth, rate, epochs, stopAfter, score: null };
    const { parameters } = await onPairs(work, run);
    const made = withParameters(trunk, parameters);
    const head = await work.headOn(await work.featuresOf(made), all);
    return { tuned: { trunk: made, head }, depth, rate, epochs: stopAfter, reason, trials };
  };
  if (settings.epochs !== null && rates.length === 1 && settings.patience === null)
    return await finished(rates[0]!, epochs, "as asked for", []);
  const folds = kFold(rows, { folds: Math.min(FOLDS, rows.length), ...partsOf(work) });
  const before = await work.featuresOf(trunk);
  const trials: Trial[] = [];
  for (const rate of rates) {
    const each: number[][] = [];
    for (const [fold, { train: members, test }] of folds.entries()) {
      const { loss: start } = await headLoss(work, before, members, test);
      const { scores } = await onPairs(work, {
        name: `trial-${rate}-fold${fold}`,
        rows: members,
        depth,
        rate,
        epochs,
        stopAfter: epochs,
        async score(parameters) {
          const features = await work.featuresOf(withParameters(trunk, parameters));
          return -(await headLoss(work, features, members, test)).loss;
        },
      });
      each.push([start, ...scores.map((one) => -one)]);
      if (isHopeless(each)) break;
    }
    const counts = folds.map(({ test }) => test.length);
    const trial = trialOf({ depth, rate }, each, counts);
    trials.push(trial);
    work.log({ step: "trial", ...trial });
  }
  const best = bestOf(trials, { isStartCandidate: true });
  const reason = `least log loss of ${trials.length} candidates, each on ${folds.length} folds of the training rows`;
  const { rate } = best.trial;
  if (best.epoch === 0) return { tuned: null, depth, rate, epochs: 0, reason, trials };
  return await finished(rate, best.epoch, reason, trials);
}

interface PairRun {
  readonly name: string;
  readonly rows: Int32Array;
  readonly depth: number;
  readonly rate: number;
  /** Passes the schedule is for, and how many are made; each over pairs drawn anew. */
  readonly epochs: number;
  readonly stopAfter: number;
  /** Log likelihood of held-out rows under the trunk's parameters, after each pass. */
  readonly score: ((parameters: Parameters) => Promise<number>) | null;
}

/** Trains the upper blocks of the trunk on pairs; the same options give the same bytes. */
async function onPairs(work: Work, options: PairRun): Promise<Pick<Trained, "parameters" | "scores">> {
  const { name, rows, depth, rate, epochs, stopAfter, score } = options;
  const { settings, labels, decoded, checkpoints, random } = work;
  const { trunk, runtime, signal, checkpointEvery = 25 } = work.options;
  const size = settings.batchSize;
  const groups = layerGroups(trunk);
  const trained = new Set(
    groups
      .slice(groups.length - depth)
      .flatMap(({ parameters }) => parameters)
      .filter(({ role }) => role !== "statistic")
      .map((parameter) => parameter.name),
  );
  const pairsOf = (epoch: number) =>
    contrastPairs(rows, labels, { count: settings.pairs, random: random.fork(`${name} pairs ${epoch}`) });
  const batches = async function* (epoch: number, from: number): AsyncGenerator<Feeds> {
    const pairs = pairsOf(epoch);
    for (let at = from * size; at < pairs.length; at += size) {
      const some = pairs.slice(at, at + size);
      const filled = Array.from({ length: size }, (_, i) => some[i] ?? some[0]!);
      const members = Int32Array.from([...filled.map(({ u }) => u), ...filled.map(({ v }) => v)]);
      yield {
        ...(await decoded.feeds(members, epoch)),
        targets: float32(
          [size, 1],
          filled.map(({ target }) => target),
        ),
        weights: rowWeights(some.length, 1, size),
      };
    }
  };
  const inputs = trunk.graph.inputs.filter((input) => !trunk.graph.initializers.has(input));
  const plans = new Map<string, TrainingPlan>();
  // One plan a length of texts, for the pairs of a batch are of one: the longest of them.
  const planFor = (batch: Feeds): TrainingPlan => {
    const shapes = Object.fromEntries(inputs.map((input) => [input.name, batch[input.name]!.shape]));
    const key = JSON.stringify(shapes);
    let plan = plans.get(key);
    if (plan) return plan;
    plan = planTraining(trunk, {
      train: (parameter) => trained.has(parameter),
      shapes,
      loss(g, graph, input) {
        const [u, v] = g.split(graph.outputs[0]!, [size, size], 0) as [Value, Value];
        const given = ["targets", "weights"].map((one) => input(one, "float32", [size, 1]));
        return cosineSimilarity(g, u, v, given[0]!, given[1]!);
      },
    });
    plans.set(key, plan);
    return plan;
  };
  const steps = Math.ceil(pairsOf(0).length / size);
  const warm = Math.round(settings.warmup * steps * epochs);
  const first = (await batches(0, 0).next()).value as Feeds;
  const saved = await checkpoints?.load(name);
  const onStep = work.progress(name);
  const result = await train(planFor(first), {
    runtime,
    optimizer: optimizers.adamw,
    settings: { weightDecay: settings.weightDecay },
    rate,
    schedule: schedules.warmup(warm, schedules.linear(steps * epochs - warm), 1 / (warm + 1)),
    epochs: saved?.done ? saved.state.epoch : stopAfter,
    batches,
    planFor,
    training: layerRates(trunk, settings.decay),
    ...(settings.clip > 0 && { clip: settings.clip }),
    ...(score && { evaluate: score }),
    keep: "last",
    onStep: ({ step }) => onStep(step, steps * stopAfter),
    onEpoch: ({ epoch, loss, score: one }) =>
      work.log({ step: "epoch", run: name, epoch: epoch + 1, loss, heldOut: one === null ? null : -one }),
    ...(checkpoints && {
      checkpoint: { every: checkpointEvery, save: (state) => checkpoints.save(name, state, false) },
    }),
    ...(saved && { resume: saved.state }),
    ...(signal && { signal }),
  });
  if (checkpoints && !saved?.done) await checkpoints.save(name, result.state, result.reason !== "aborted");
  signal?.throwIfAborted();
  return result;
}
