import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { everyNode, firstDifference, fromOrt, readModel, readTensor, writeModel } from "@graft-ml/core";
import { afterAll, describe, expect, it } from "vitest";

const ort = createRequire(new URL("../packages/node/package.json", import.meta.url))(
  "onnxruntime-node",
) as typeof import("onnxruntime-node");

const data = process.env.GRAFT_DATA ?? fileURLToPath(new URL("../../shared/data", import.meta.url));
const archive = `${data}/onnx_backend_testdata/onnx_backend_testdata_1.12.0.tar.xz`;
const folder = existsSync(archive) ? mkdtempSync(join(tmpdir(), "graft-backend-")) : null;
if (folder) execFileSync("tar", ["-xJf", archive, "-C", folder]);
const models = folder
  ? (readdirSync(folder, { recursive: true }) as string[])
      .filter((path) => path.endsWith("model.onnx"))
      .map((path) => join(folder, path))
      .sort()
  : [];
afterAll(() => folder && rmSync(folder, { recursive: true }));

/** Their results differ from run to run. */
const RANDOM = /^(Random|Bernoulli|Multinomial|Dropout)/;

/** What ONNX Runtime makes of a model and its stored inputs: outputs, or the reason why it refuses. */
async function outcome(bytes: Uint8Array, path: string): Promise<unknown> {
  let session: import("onnxruntime-node").InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  } catch {
    return "refused";
  }
  try {
    const feeds: Record<string, import("onnxruntime-node").Tensor> = {};
    for (const [i, name] of session.inputNames.entries()) {
      const { dtype, data, shape } = readTensor(
        readFileSync(join(dirname(path), `test_data_set_0/input_${i}.pb`)),
      );
      feeds[name] = new ort.Tensor(dtype as never, data as never, shape);
    }
    const results = await session.run(feeds);
    return Object.fromEntries(
      await Promise.all(
        Object.entries(results).map(async ([name, one]) => [
          name,
          fromOrt(one.type, one.dims, await one.getData()),
        ]),
      ),
    );
  } catch (error) {
    return `does not run: ${(error as Error).message.replaceAll(/0x[0-9a-f]+|\d{4}-\S+/g, "")}`;
  } finally {
    await session.release();
  }
}

describe.skipIf(models.length === 0)("the ONNX project's own models", () => {
  it("are all there", () => {
    expect(models.length).toBeGreaterThan(900);
  });

  it("survive read, write, read unchanged, and ONNX Runtime gives the same outputs before and after", async () => {
    const faults: string[] = [];
    const counts = { ran: 0, refused: 0, notRun: 0 };
    for (const path of models) {
      try {
        const bytes = readFileSync(path);
        const model = readModel(bytes, { source: path });
        const written = writeModel(model);
        const difference = firstDifference(model, readModel(written));
        if (difference) faults.push(`${path}: ${difference}`);
        const [before, after] = [await outcome(bytes, path), await outcome(written, path)];
        if (before === "refused") counts.refused++;
        else if (typeof before === "string") counts.notRun++;
        else counts.ran++;
        const isRandom = [...everyNode(model.graph)].some((node) => RANDOM.test(node.opType));
        if (isRandom && typeof before === typeof after) continue;
        try {
          expect(after).toEqual(before);
        } catch {
          faults.push(
            `${path}: other results, ${String(before).slice(0, 80)} and ${String(after).slice(0, 80)}`,
          );
        }
      } catch (error) {
        faults.push(`${path}: ${(error as Error).message}`);
      }
    }
    console.info(`${models.length} models: ${JSON.stringify(counts)}`);
    expect(faults).toEqual([]);
  });
});
