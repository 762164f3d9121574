import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Matrix, matrix } from "../tensor.ts";
import { blockRows } from "./block-rows.ts";
import { rowWeights } from "./check.ts";
import { denseFeatureRows, type LinearRows } from "./linear-rows.ts";
import { solveLinear } from "./linear-solver.ts";
import { softmaxLoss } from "./softmax-loss.ts";
import { squaredHinge } from "./squared-hinge.ts";

const CLASSES = 3;
const [ROWS, COLUMNS] = [4200, 240]; // a million numbers: what is large enough for ONNX Runtime

/** Correlated features as of a network: rectified mixtures of few hidden ones. */
function clouds(): { features: Matrix; labels: Int32Array } {
  const source = random(21);
  const mixing = Float64Array.from({ length: 40 * COLUMNS }, () => source.normal() / Math.sqrt(40));
  const features = matrix(ROWS, COLUMNS);
  const labels = Int32Array.from({ length: ROWS }, (_, i) => [0, 1, 2, 2, 2][i % 5]!);
  for (let i = 0; i < ROWS; i++) {
    const hidden = Array.from({ length: 40 }, (_, h) => source.normal() + (h % 8 === labels[i] ? 0.6 : 0));
    for (let j = 0; j < COLUMNS; j++) {
      let sum = 0.1 * source.normal();
      for (let h = 0; h < 40; h++) sum += hidden[h]! * mixing[h * COLUMNS + j]!;
      features.data[i * COLUMNS + j] = Math.max(0, sum);
    }
  }
  return { features, labels };
}

const { features, labels } = clouds();
const weights = rowWeights(labels, { classes: CLASSES, classWeights: [3, 1, 0.5], random: random(0) });

async function coefficients(rows: LinearRows, loss: typeof softmaxLoss): Promise<Float64Array> {
  const moment = await rows.moment(weights);
  const problem = { rows, labels, weights: [weights], classes: CLASSES, loss };
  const solving = { strength: 0.03, tolerance: 1e-8, moment, weight: weights };
  const { theta } = await solveLinear(problem, solving);
  await rows.close();
  return theta;
}

const largest = (a: Float64Array) => a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

for (const [name, loss] of Object.entries({ softmaxLoss, squaredHinge }))
  test(`${name}, classes weighted: ONNX Runtime and JavaScript come to the same coefficients`, async () => {
    const runtime: Runtime = ort(module as never);
    let loaded = 0;
    const load: Runtime["load"] = async (...given) => {
      loaded++;
      return await runtime.load(...given);
    };
    const counted: Runtime = { ...runtime, load };
    const plain = await coefficients(await denseFeatureRows(features, undefined), loss);
    expect(largest(plain)).toBeGreaterThan(0.01);
    const moment = await (await denseFeatureRows(features, undefined)).moment(weights);
    const source = {
      ...features,
      async *blocks(size: number) {
        for (let at = 0; at < ROWS; at += 700) {
          const count = Math.min(size, 700, ROWS - at);
          yield matrix(count, COLUMNS, features.data.slice(at * COLUMNS, (at + count) * COLUMNS));
        }
      },
    };
    for (const rows of [
      await denseFeatureRows(features, counted),
      await blockRows(source, { lengths: null, moment, runtime: counted }),
    ]) {
      expect(loaded).toBeGreaterThan(0);
      const theta = await coefficients(rows, loss);
      expect(largest(theta.map((value, i) => value - plain[i]!))).toBeLessThan(1e-4);
    }
  });
