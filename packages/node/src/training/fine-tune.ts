import { type Model, resolveSettings, writeAdapter } from "@graft-ml/core";
import { composeModel } from "../runs/compose.ts";
import { VERSION } from "../version.ts";
import { choose } from "./choose.ts";
import { contrast } from "./contrastive.ts";
import { defaultsOf, fineTuneOptions, type Method } from "./methods.ts";
import { cooled } from "./network.ts";
import { run } from "./stages.ts";
import type { Trial } from "./trials.ts";
import { type FineTuneOptions, workOf } from "./work.ts";

/** What fine-tuning ends with. */
export interface FineTuned {
  /** Outputs `probabilities` [batch, C] and `features` [batch, D]; adapters are merged. */
  readonly model: Model;
  readonly method: Method;
  /** What was chosen or asked for: depth, learningRate, epochs, strength of the head. */
  readonly chosen: Readonly<Record<string, number | string>>;
  /** In words: what was trained, what stayed frozen, and why. */
  readonly reason: string;
  readonly trials: readonly Trial[];
  /** LoRA's adapter apart from the model, by file name. */
  readonly adapter: Readonly<Record<string, string | Uint8Array>> | null;
}

const FROZEN =
  "the network stays frozen under a linear head: no training was better on held-out training rows";

/**
 * Fine-tunes a network on labelled rows. Depth, learning rate and number of epochs that settings leave open
 * are chosen by the log loss of held-out training rows: on three folds while the lower part is frozen and
 * kept, else on a fifth of the rows. Where no training is better there than its start, the start stays: for
 * methods that begin with a fitted head, the linear probe. Equal options give equal bytes, also when a run is
 * killed and started again with its checkpoint folder. Throws an InputError where rows, method or settings do
 * not fit the network.
 */
export async function fineTune(options: FineTuneOptions): Promise<FineTuned> {
  const { rows, method, trunk } = options;
  const settings = resolveSettings("fine-tuning", fineTuneOptions, options.settings);
  const defaults = defaultsOf(method, settings, { rows: rows.length, trunk });
  const work = await workOf(options, settings);
  const all = Int32Array.from(rows.keys());
  const head = await work.headFor(all);
  const end = async (tuned: Omit<FineTuned, "method">): Promise<FineTuned> => {
    work.log({ step: "fine-tuned", method, ...tuned.chosen, reason: tuned.reason });
    await work.checkpoints?.clear();
    return { method, ...tuned };
  };
  const probe = (chosen: FineTuned["chosen"], reason: string, trials: readonly Trial[]) =>
    end({
      model: composeModel(trunk, head, VERSION),
      chosen: { ...head.chosen, ...chosen },
      reason,
      trials,
      adapter: null,
    });
  if (method === "probe")
    return await probe({}, "the network is frozen; a linear head is fitted on its features", []);
  if (method === "contrastive") {
    const { tuned, trials, reason, ...made } = await contrast(work, defaults);
    const chosen = { depth: made.depth, learningRate: made.rate, epochs: made.epochs };
    if (!tuned) return await probe(chosen, FROZEN, trials);
    return await end({
      model: composeModel(tuned.trunk, tuned.head, VERSION),
      chosen: { ...tuned.head.chosen, ...chosen },
      reason: `${made.depth} blocks trained on pairs of rows (contrastive), ${made.epochs} epochs at ${made.rate}, then a head: ${reason}`,
      trials,
      adapter: null,
    });
  }
  const {
    depth,
    rate,
    epochs,
    planned,
    temperature,
    reason,
    trials,
    run: made,
  } = await choose(work, defaults);
  const { depth: blocks } = work.networkFor(head, depth);
  const chosen = {
    ...{ depth: blocks, learningRate: rate, epochs },
    ...(temperature !== 1 && { temperature: Number(temperature.toPrecision(3)) }),
  };
  if (epochs === 0 && method !== "full" && method !== "scratch") return await probe(chosen, FROZEN, trials);
  const last = {
    depth,
    rate,
    rows: all,
    heldOut: null,
    epochs: planned,
    stopAfter: epochs,
    keep: "last" as const,
  };
  const { network, parameters } = made ?? (await run(work, { ...last, name: "training", head }));
  const what = `the upper ${blocks} block${blocks === 1 ? "" : "s"}`;
  return await end({
    model: cooled(network.finish(parameters), network.logits, temperature),
    chosen: { ...head.chosen, ...chosen },
    reason: `${depth === null ? "all layers" : what} and the head trained (${method}), ${epochs} epochs at ${rate}: ${reason}`,
    trials,
    adapter: network.adapter && writeAdapter(network.adapter, parameters),
  });
}
