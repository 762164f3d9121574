import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { countedRuns } from "../../../../test/counted-runs.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TaggerSpec } from "./tagger.ts";
import { tokenEncoding } from "./token-encoder.ts";
import { trainTagger } from "./train-tagger.ts";

const sentences = Array.from({ length: 60 }, (_, i) => ({
  tokens: [i % 2 === 0 ? "the" : "to", `w${i % 7}`, "."],
  tags: Int32Array.of(0, i % 2 === 0 ? 1 : 2, 0),
}));
const settings = {
  ...{ wordWidth: 6, affixWidth: 3, characterWidth: 1, characterFilters: 1, vectorWidth: 0 },
  ...{ encoder: "bilstm", encoderSettings: { units: 5 } },
};
const encoding = tokenEncoding(
  sentences.map(({ tokens }) => tokens),
  { minimum: 1, affixRows: 16, characters: false },
);
const spec: TaggerSpec = {
  ...{ version: 1, tags: ["D", "N", "V"], scheme: null, head: { name: "head", kind: "softmax", tags: 3 } },
  trunk: { kind: "network", encoding, settings },
};

test.each([
  ["little to learn from: in turn", 60, 1],
  ["much: the parts of a step at once", 5, 2],
])("a runtime with two lanes and %s", async (_, batchTokens, together) => {
  const { wide, most } = countedRuns(ort(module as never), 2);
  const training = {
    spec,
    train: sentences,
    held: sentences.slice(0, 4),
    epochs: 2,
    learningRate: 0.01,
    dropout: 0.1,
  };
  const learn = (runtime: Runtime) =>
    trainTagger({ ...training, batchTokens, runtime, random: random(1), score: () => 0 });
  const onLanes = await learn(wide);
  expect(most.ever).toBe(together);
  const alone = await learn(countedRuns(ort(module as never), 1).wide);
  if (together === 1) expect(onLanes.model).toEqual(alone.model);
  expect(onLanes.losses.at(-1)!).toBeLessThan(onLanes.losses[0]!);
});
