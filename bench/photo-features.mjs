// Features of the photos that the benchmarks of heads share: hymenoptera and PACS's photos, at the default layer.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { featureCache, openSource, ortRuntime, readDataset } from "graft-ml";

const root = fileURLToPath(new URL("..", import.meta.url));
export const python = process.env.GRAFT_PYTHON ?? join(root, ".venv/bin/python");
export const data = process.env.GRAFT_DATA ?? join(root, "../shared/data");

/**
 * Features [N, D] with labels and whether a row is of the official training part. `framing` as in `graft train`.
 * @param {{ set: string, network?: string, framing?: "stated" | "crop" }} options
 */
export async function photoFeatures({ set, network = "mobilenet_v2_1.0_224", framing = "stated" }) {
  if (!existsSync(join(data, set)))
    throw new Error(`there is no ${join(data, set)}; name the data in GRAFT_DATA`);
  const dataset = await readDataset(join(data, set));
  const isTrain = dataset.rows.map(({ split }) => split === "train");
  const labels = Int32Array.from(dataset.rows, ({ label }) => dataset.classes.indexOf(label));
  const runtime = await ortRuntime({ throughput: true });
  try {
    const spec = network === "none" ? network : join(data, "models", network);
    const options = { modality: "image", runtime, training: [], framing, cache: featureCache() };
    const source = await openSource(spec, options);
    const { features } = await source.features(dataset.rows);
    return { features, labels, isTrain, classes: dataset.classes };
  } finally {
    await runtime.close();
  }
}
