import { readFileSync } from "node:fs";
import {
  build,
  cloneModel,
  fitTfidf,
  gatherTerms,
  heads,
  type Input,
  InputError,
  random,
  writeModel,
} from "@graft-ml/core";
import { afterAll, describe, expect, test } from "vitest";
import type { TokenizerFiles } from "../backbones/index.ts";
import { type OrtRuntime, ortRuntime } from "../runtime/index.ts";
import { paddedLength, textPreprocessor } from "./text-preprocessor.ts";
import { readTfidfPreprocessor, tfidfPreprocessor } from "./tfidf-preprocessor.ts";
import { encoder } from "./tokens.ts";

interface Golden extends TokenizerFiles {
  readonly name: string;
  readonly cases: readonly {
    readonly text: string;
    readonly ids: readonly number[];
    readonly cut: Readonly<Record<string, readonly number[]>>;
  }[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../../../test/golden/texts.json", import.meta.url), "utf8"),
) as { readonly sets: readonly Golden[] };
const [bert, bpe] = golden.sets as [Golden, Golden];
const text = (content: string): Input => ({ kind: "text", text: content });
const inputs = ["input_ids", "attention_mask", "token_type_ids"].map((name) => ({ name }));

describe.each(golden.sets)("$name", (tokenizer) => {
  test("gives the reference library's ids", () => {
    const whole = encoder(tokenizer, 512);
    for (const { text: content, ids } of tokenizer.cases) expect([...whole.encode(content).ids]).toEqual(ids);
  });
  test.each([8, 16])("cuts to %i tokens as the reference library does", (length) => {
    const short = encoder(tokenizer, length);
    for (const { text: content, cut } of tokenizer.cases)
      expect([...short.encode(content).ids]).toEqual(cut[length]);
  });
  test("cuts a megabyte without reading all of it", () => {
    const short = encoder(tokenizer, 64);
    for (const content of ["my parcel is late ".repeat(60_000), "a".repeat(1_000_000)])
      expect(short.encode(content).ids.length).toBeLessThanOrEqual(64);
    const long = "the refund never came, what now? ".repeat(400);
    expect(short.encode(long).ids).toEqual(short.encode(long.repeat(80)).ids);
  });
});

test("a megabyte of unknown characters without a space is split or refused, never a crash", () => {
  const [, , unigram] = golden.sets as [Golden, Golden, Golden];
  const content = "退货".repeat(500_000);
  expect(encoder(bert, 64).encode(content).ids).toHaveLength(64);
  expect(() => encoder(unigram, 64).encode(content)).toThrow(InputError);
});

describe("texts as a network wants them", () => {
  test("are padded and masked", async () => {
    const { prepare } = textPreprocessor({ tokenizer: bert, inputs, maxLength: 32 });
    const feeds = await prepare([text("parcel"), text("where is my parcel")]);
    expect(feeds.input_ids!.shape).toEqual([2, 16]);
    const ids = [...(feeds.input_ids!.data as BigInt64Array)];
    const mask = [...(feeds.attention_mask!.data as BigInt64Array)];
    expect(ids[0]).toBe(2n);
    const tokens = ids.indexOf(3n) + 1;
    expect(mask.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, i) => (i < tokens ? 1n : 0n)));
    expect(ids.slice(tokens, 16).every((id) => id === 0n)).toBe(true);
    expect(feeds.token_type_ids!.data).toEqual(new BigInt64Array(32));
  });
  test("have an extent that depends on the text alone", () => {
    expect([1, 16, 17, 64, 65, 97, 400, 600].map((length) => paddedLength(length, 512))).toEqual([
      16, 16, 32, 64, 96, 128, 512, 512,
    ]);
    const { extentOf } = textPreprocessor({ tokenizer: bert, inputs, maxLength: 40 });
    expect(extentOf!(text("hi"))).toBe(16);
    expect(extentOf!(text("again and again ".repeat(40)))).toBe(40);
  });
  test("are padded on the left where the tokenizer says so, with positions from the first token", async () => {
    const left = { ...bpe, config: { ...bpe.config, padding_side: "left" } };
    const wanted = [{ name: "input_ids", dtype: "int32" as const }, { name: "position_ids" }];
    const feeds = await textPreprocessor({ tokenizer: left, inputs: wanted }).prepare([text("a")]);
    expect([...(feeds.input_ids!.data as Int32Array)].slice(0, 13)).toEqual(Array(13).fill(1));
    expect([...(feeds.position_ids!.data as BigInt64Array)].slice(-3)).toEqual([0n, 1n, 2n]);
  });
  test("come out the same after a way through the artefact's files", async () => {
    const first = textPreprocessor({ tokenizer: bert, inputs, maxLength: 24 });
    const files = first.files() as Record<string, string>;
    const tokenizer = {
      json: JSON.parse(files["tokenizer.json"]!),
      config: JSON.parse(files["tokenizer_config.json"]!),
    };
    const second = textPreprocessor({ tokenizer, inputs });
    expect(second.fingerprint).toBe(first.fingerprint);
    const rows = bert.cases.map(({ text: content }) => text(content));
    expect(await second.prepare(rows)).toEqual(await first.prepare(rows));
  });
  test("keep within what the network has positions for", () => {
    const config = { model_type: "roberta", max_position_embeddings: 66, pad_token_id: 1 };
    const { extentOf } = textPreprocessor({ tokenizer: bpe, inputs, config });
    expect(extentOf!(text("long ".repeat(500)))).toBe(64);
    expect(() => textPreprocessor({ tokenizer: bpe, inputs, config, maxLength: 65 })).toThrow(
      /than the network takes, 64/,
    );
  });
  test("are refused with a reason", async () => {
    expect(() => textPreprocessor({ tokenizer: null, inputs })).toThrow(/no tokenizer\.json/);
    expect(() => textPreprocessor({ tokenizer: { json: {}, config: null }, inputs })).toThrow(InputError);
    expect(() => textPreprocessor({ tokenizer: bert, inputs: [{ name: "bbox" }] })).toThrow(/"bbox"/);
    expect(() => textPreprocessor({ tokenizer: bert, inputs, maxLength: 2 })).toThrow(/no room/);
    const { prepare, extentOf } = textPreprocessor({ tokenizer: bert, inputs });
    await expect(prepare([text(" ")])).rejects.toThrow(/empty/);
    expect(extentOf!(text(" "))).toBe(0);
    await expect(prepare([{ kind: "image", path: "a.jpg" }])).rejects.toThrow(/takes texts/);
  });
});

describe("TF-IDF", () => {
  const texts = ["Where is my parcel", "my refund, please", "退货可以吗", "the parcel is late"];
  const tfidf = fitTfidf(texts);
  let runtime: OrtRuntime | undefined;
  afterAll(() => runtime?.close());

  test("its trunk gives the features of transform, bit for bit, whatever the batch", async () => {
    runtime = await ortRuntime({ threads: 1 });
    const session = await runtime.load(writeModel(tfidf.trunk()));
    const { prepare } = tfidfPreprocessor(tfidf);
    const dense = async (batch: readonly string[]) =>
      (await session.run(await prepare(batch.map(text)))).features!;
    const all = await dense(texts);
    expect(all.shape).toEqual([4, tfidf.size]);
    const { offsets, indices, values } = tfidf.transform(texts);
    const wanted = new Float32Array(4 * tfidf.size);
    for (let i = 0; i < 4; i++)
      for (let j = offsets[i]!; j < offsets[i + 1]!; j++) wanted[i * tfidf.size + indices[j]!] = values[j]!;
    expect(all.data).toEqual(wanted);
    const alone = await dense([texts[2]!]);
    expect(alone.data).toEqual(wanted.slice(2 * tfidf.size, 3 * tfidf.size));
    expect((await dense(["ξξξ"])).data).toEqual(new Float32Array(tfidf.size));
  });
  test("under a linear head, terms are gathered instead of rows filled with zeros, and say the same", async () => {
    runtime ??= await ortRuntime({ threads: 1 });
    const features = tfidf.transform(texts);
    const labels = Int32Array.of(0, 1, 1, 0);
    const context = { classes: 2, random: random(0) };
    for (const [head, settings] of [
      [heads.logistic, { strength: 10 }],
      [heads.logistic, { strength: 10, normalise: false }],
      [heads.ridge, {}],
      [heads.centroid, {}],
    ] as const) {
      const classifier = await head.fit(features, labels, settings, context);
      const model = cloneModel(tfidf.trunk());
      const [row] = model.graph.outputs;
      model.graph.outputs.unshift(classifier.append(model.graph, row!));
      const gathered = gatherTerms(model);
      const operators = gathered.graph.nodes.map(({ opType }) => opType);
      expect(operators).toContain("Gather");
      expect(operators).not.toContain("ScatterElements");
      expect(gathered.graph.outputs).toHaveLength(1);
      const { prepare } = tfidfPreprocessor(tfidf);
      const feeds = await prepare([...texts, "ξξξ", "parcel parcel refund"].map(text));
      const answers = await Promise.all(
        [model, gathered].map(async (one) => {
          const session = await runtime!.load(writeModel(one));
          const answer = (await session.run(feeds))[one.graph.outputs[0]!.name]!;
          return answer.data as Float32Array;
        }),
      );
      const [dense, sparse] = answers as [Float32Array, Float32Array];
      expect(sparse).toHaveLength(dense.length);
      for (const [i, p] of dense.entries()) expect(sparse[i]).toBeCloseTo(p, 6);
      const wanted = classifier.predict(tfidf.transform([texts[3]!]));
      expect(sparse[6]).toBeCloseTo(wanted.data[0]!, 6);
    }
  });
  test("under anything else the model stays as it is", () => {
    const plain = tfidf.trunk();
    expect(gatherTerms(plain)).toBe(plain);
    const squared = cloneModel(plain);
    const [row] = squared.graph.outputs;
    squared.graph.outputs = [
      build(squared.graph).apply("MatMul", [row!, build(squared.graph).apply("Transpose", [row!])]),
    ];
    expect(gatherTerms(squared)).toBe(squared);
    const shifted = cloneModel(plain);
    shifted.graph.outputs = [
      build(shifted.graph).apply("ReduceMax", [shifted.graph.outputs[0]!], { axes: [1] }),
    ];
    expect(gatherTerms(shifted)).toBe(shifted);
  });
  test("comes back from its file", async () => {
    const first = tfidfPreprocessor(tfidf);
    const second = readTfidfPreprocessor(first.files()["tfidf.json"] as string);
    expect(second.fingerprint).toBe(first.fingerprint);
    expect(await second.prepare(texts.map(text))).toEqual(await first.prepare(texts.map(text)));
    expect(() => readTfidfPreprocessor("{")).toThrow(/not JSON/);
  });
});
