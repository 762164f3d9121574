import * as module from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32 } from "../tensor.ts";
import * as encoders from "./encoders/index.ts";
import { linearFeatures } from "./linear-features.ts";
import { trainPerceptron } from "./perceptron.ts";
import { bucketOf, tagBatches } from "./tag-batches.ts";
import { linearModel, openTagger, type TaggerSpec, taggerNetwork } from "./tagger.ts";
import { tokenEncoder, tokenEncoding } from "./token-encoder.ts";

const runtime = ort(module as never);
const sentences = [["The", "cat", "saw", "2", "dogs"], ["Run"], ["A", "dog", "ran", "off"]];
const tags = ["D", "N", "V"];

describe.each(Object.keys(encoders))("a tagger with %s", (encoder) => {
  const encoding = tokenEncoding(sentences, {
    minimum: 1,
    affixRows: 32,
    characters: true,
    vectorWords: ["cat", "dog"],
  });
  const settings = {
    wordWidth: 6,
    affixWidth: 3,
    characterWidth: 4,
    characterFilters: 5,
    vectorWidth: 3,
    encoder,
    encoderSettings: encoder === "bilstm" ? { units: 5, layers: 2 } : { width: 8, layers: 2 },
  };
  const head = { name: "head", kind: "crf", tags: 3 } as const;
  const trunk = { kind: "network", encoding, settings } as const;
  const spec: TaggerSpec = { version: 1, tags, scheme: null, head, trunk };
  const vectors = float32([3, 3], [0, 0, 0, 1, 2, 3, -1, 0, 1]);
  const { model } = taggerNetwork(trunk, head, { random: random(1), vectors });

  test("gives a sentence the same whatever it runs beside, however far it is padded", async () => {
    const tagger = await openTagger(spec, writeModel(model), runtime);
    const together = await tagger.tag(sentences, { probabilities: true });
    for (const [i, sentence] of sentences.entries()) {
      const [alone] = await tagger.tag([sentence], { probabilities: true });
      expect(alone!.tags).toEqual(together[i]!.tags);
      for (const [k, p] of alone!.probabilities!.entries())
        expect(together[i]!.probabilities![k]).toBeCloseTo(p, 5);
    }
    await tagger.close();
  });
  test("is the same bytes for the same seed, other ones for another", () => {
    const again = taggerNetwork(trunk, head, { random: random(1), vectors });
    expect(writeModel(again.model)).toEqual(writeModel(model));
    const other = taggerNetwork(trunk, head, { random: random(2), vectors });
    expect(writeModel(other.model)).not.toEqual(writeModel(model));
  });
  test("has inputs of representations and states to mask in training alone", () => {
    const training = taggerNetwork(trunk, head, { random: random(1), vectors, training: true });
    expect(training.keeps.length).toBeGreaterThan(1);
    const names = (inputs: typeof model.graph.inputs) => inputs.map(({ name }) => name);
    expect(names(model.graph.inputs).filter((name) => name.startsWith("keep."))).toEqual([]);
    expect(names(training.model.graph.inputs)).toContain("vector_rows");
  });
});

describe("tokens as numbers", () => {
  const encoding = tokenEncoding([...sentences, ["cat", "dogs"]], {
    minimum: 2,
    affixRows: 32,
    characters: true,
  });
  const encoder = tokenEncoder(encoding);
  test("words that occur often enough have rows, in lower case, digits alike", () => {
    expect(encoding.words).toEqual(["cat", "dogs"]);
    expect([encoder.knows("CAT"), encoder.knows("saw")]).toEqual([true, false]);
    const { word_ids: ids, lengths } = encoder.feeds(sentences, { length: 6, rows: 4 });
    expect(ids!.shape).toEqual([4, 6]);
    expect([...(ids!.data as BigInt64Array).slice(0, 6)]).toEqual([1n, 2n, 1n, 1n, 3n, 0n]);
    expect([...(lengths!.data as Int32Array)]).toEqual([5, 1, 4, 1]);
  });
  test("rare words are hidden more often in training", () => {
    const many = Array.from({ length: 400 }, () => ["cat"]);
    const { word_ids: ids } = encoder.feeds(many, { length: 1, rows: 400, random: random(3) });
    const hidden = [...(ids!.data as BigInt64Array)].filter((id) => id === 1n).length;
    expect(hidden / 400).toBeGreaterThan(0.05); // two occurrences: one in nine
    expect(hidden / 400).toBeLessThan(0.18);
  });
  test("an encoding of another version is refused", () => {
    expect(() => tokenEncoder({ ...encoding, version: 2 as never })).toThrow(/version 2/);
  });
});

test("batches hold every sentence once, as long as the longest in them, a shape a length, few rows empty", () => {
  const source = random(1);
  const lengths = Array.from({ length: 300 }, () => 1 + source.integer(150));
  const batches = tagBatches(lengths, 200, 16, random(2));
  expect(batches.flatMap(({ sentences: all }) => [...all]).sort((a, b) => a - b)).toEqual([
    ...lengths.keys(),
  ]);
  const shapes = new Map<number, number>();
  for (const { sentences: all, rows, length } of batches) {
    expect(Math.max(...Array.from(all, (i) => bucketOf(lengths[i]!)))).toBe(length);
    expect(all.length).toBeLessThanOrEqual(rows);
    expect(shapes.get(length) ?? rows).toBe(rows);
    shapes.set(length, rows);
  }
  expect(batches.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThan(1.08 * lengths.length);
  const pairs = tagBatches(lengths, 400, 32, random(2), 2);
  const unlike = pairs.filter(({ length }, i) => i % 2 === 1 && length !== pairs[i - 1]!.length);
  expect(unlike.length).toBeLessThan(new Set(pairs.map(({ length }) => length)).size);
  expect(pairs.map(({ length }) => length)).not.toEqual(
    pairs.map(({ length }) => length).sort((a, b) => a - b),
  );
  expect(pairs.flatMap(({ sentences: all }) => [...all])).toHaveLength(lengths.length);
  for (const { rows, length } of pairs) expect(rows).toBe(shapes.get(length) ?? rows);
  for (const { sentences: all, length } of tagBatches(lengths, 200, 16, null))
    for (const i of all) expect(bucketOf(lengths[i]!)).toBe(length);
});

describe("the perceptron", () => {
  // A word is a verb after "to" and a noun after "the", whatever it is.
  const examples = Array.from({ length: 60 }, (_, i) => ({
    tokens: [i % 2 === 0 ? "the" : "to", `w${i % 7}`],
    tags: Int32Array.of(0, i % 2 === 0 ? 1 : 2),
  }));
  const features = linearFeatures(2048);
  const options = { tags: 3, features, epochs: 5, margin: 1, dropout: 0.1 };
  const tagger = trainPerceptron(examples, { ...options, random: random(1) });
  const spec: TaggerSpec = {
    version: 1,
    tags,
    scheme: null,
    head: { name: "head", kind: "crf", tags: 3 },
    trunk: { kind: "linear", rows: 2048 },
  };
  test("learns from the word before, and its model gives the same through the runtime", async () => {
    const opened = await openTagger(spec, writeModel(linearModel(tagger, spec.head)), runtime);
    const [noun, verb] = await opened.tag([
      ["the", "w3"],
      ["to", "w3"],
    ]);
    expect([[...noun!.tags], [...verb!.tags]]).toEqual([
      [0, 1],
      [0, 2],
    ]);
    await opened.close();
  });
  test("is the same for the same seed", () => {
    expect(trainPerceptron(examples, { ...options, random: random(1) }).weights).toEqual(tagger.weights);
  });
});
