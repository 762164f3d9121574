import * as module from "onnxruntime-node";
import { expect, test } from "vitest";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { besideLinear } from "./beside-linear.ts";
import { linearFeatures } from "./linear-features.ts";
import { trainPerceptron } from "./perceptron.ts";
import type { TagHeadKind } from "./tag-head.ts";
import { linearModel, openTagger, type TaggerSpec, taggerNetwork } from "./tagger.ts";
import { tokenEncoding } from "./token-encoder.ts";

const runtime = ort(module as never);
const examples = Array.from({ length: 40 }, (_, i) => ({
  tokens: [i % 2 === 0 ? "the" : "to", `w${i % 7}`, "."],
  tags: Int32Array.of(0, i % 2 === 0 ? 1 : 2, 0),
}));
const tokens = examples.slice(0, 12).map((one) => one.tokens);
const linear = trainPerceptron(examples, {
  ...{ tags: 3, features: linearFeatures(512), epochs: 3, margin: 1 },
  random: random(1),
});
const tags = ["D", "N", "V"];
const encoding = tokenEncoding(tokens, { minimum: 1, affixRows: 16, characters: false });
const settings = {
  ...{ wordWidth: 6, affixWidth: 3, characterWidth: 1, characterFilters: 1, vectorWidth: 0 },
  ...{ encoder: "bilstm", encoderSettings: { units: 5 } },
};
const trunk = { kind: "network", encoding, settings } as const;

test.each<TagHeadKind>(["softmax", "crf"])(
  "a %s network says the same with no weight beside it, and the linear tagger with all",
  async (kind) => {
    const head = { name: "head", kind, tags: 3 };
    const spec: TaggerSpec = { version: 1, tags, scheme: null, head, trunk };
    const { model } = taggerNetwork(trunk, head, { random: random(2) });
    const probabilities = async (one: TaggerSpec, bytes: Uint8Array) => {
      const tagger = await openTagger(one, bytes, runtime);
      const tagged = await tagger.tag(tokens, { probabilities: true });
      await tagger.close();
      return tagged.flatMap((each) => [...each.probabilities!]);
    };
    const both = (share: number) => {
      const made = besideLinear(model, head, linear, { share });
      return probabilities({ ...spec, head: made.head, beside: { rows: 512 } }, writeModel(made.model));
    };
    const only = { name: "head", kind: "crf", tags: 3 } as const;
    const network = await probabilities(spec, writeModel(model));
    const alone = await probabilities(
      { ...spec, head: only, trunk: { kind: "linear", rows: 512 } },
      writeModel(linearModel(linear, only)),
    );
    for (const [i, p] of (await both(0)).entries()) expect(p).toBeCloseTo(network[i]!, 5);
    for (const [i, p] of (await both(1)).entries()) expect(p).toBeCloseTo(alone[i]!, 5);
    expect(network).not.toEqual(alone);
  },
);

test("a higher temperature leaves the best sequences and makes them less sure", async () => {
  const head = { name: "head", kind: "crf", tags: 3 } as const;
  const { model } = taggerNetwork(trunk, head, { random: random(2) });
  const [sure, less] = await Promise.all(
    [0.5, 4].map(async (temperature) => {
      const made = besideLinear(model, head, linear, { share: 0.4, temperature });
      const spec: TaggerSpec = {
        version: 1,
        tags,
        scheme: null,
        head: made.head,
        trunk,
        beside: { rows: 512 },
      };
      const tagger = await openTagger(spec, writeModel(made.model), runtime);
      const tagged = await tagger.tag(tokens, { probabilities: true });
      await tagger.close();
      return tagged;
    }),
  );
  for (const [i, { tags: best, probabilities }] of sure!.entries()) {
    expect(less![i]!.tags).toEqual(best);
    for (const [t, tag] of best.entries())
      expect(less![i]!.probabilities![t * 3 + tag]!).toBeLessThan(probabilities![t * 3 + tag]!);
  }
});
