import type { Matrix, Row, Runtime } from "@graft-ml/core";
import { openSource } from "../sources/index.ts";
import { classesOf, type RunConfig, readTaskConfig } from "./config.ts";
import { openRun } from "./open-run.ts";
import { type Replay, readGolden, replay } from "./replay.ts";

/**
 * Replays the golden inputs of a RUN through decoding, preprocessing and the network: probabilities, or the
 * features of a network that was pretrained without labels. Of a RUN with several tasks, `task` names one.
 */
export async function verifyRun(
  folder: string,
  { runtime, task = null }: { readonly runtime: Runtime; readonly task?: string | null },
): Promise<Replay> {
  const { config } = await readTaskConfig(folder, task);
  if (classesOf(config).length === 0)
    return await replay(await readGolden(folder), await openFeatures(folder, config, runtime));
  const run = await openRun(folder, { runtime, task });
  try {
    return await run.verify();
  } finally {
    await run.close();
  }
}

/** Features [n, D] of rows as `--backbone run:FOLDER` makes them. */
export async function openFeatures(
  folder: string,
  { task, batchSize }: RunConfig,
  runtime: Runtime,
): Promise<(rows: readonly Row[]) => Promise<Matrix>> {
  const modality = task === "image-classification" ? "image" : "text";
  const source = await openSource(`run:${folder}`, { modality, runtime, training: [], batchSize });
  return async (rows) => (await source.features(rows)).features as Matrix; // of a network: never sparse
}
