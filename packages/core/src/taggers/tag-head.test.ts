import { readFileSync } from "node:fs";
import * as module from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { build, emptyGraph, modelOf } from "../ir/build.ts";
import { writeModel } from "../onnx/write.ts";
import { random } from "../random.ts";
import { ort } from "../runtime/ort.ts";
import { float32, type Tensor } from "../tensor.ts";
import { planTraining } from "../training/plan.ts";
import { expectedTags, knownTags, marginals } from "./decode.ts";
import {
  appendTagHead,
  expectedTargets,
  headLoss,
  headTargets,
  type TagHead,
  transitionsOf,
} from "./tag-head.ts";

interface Case {
  readonly lengths: readonly number[];
  readonly tags: number;
  readonly gold: readonly (readonly number[])[];
  readonly logits: readonly number[];
  readonly table: readonly number[];
  readonly loss: number;
  readonly dLogits: readonly number[];
  readonly dTable: readonly number[];
}

const { cases } = JSON.parse(
  readFileSync(new URL("../../../../test/golden/crf.json", import.meta.url), "utf8"),
) as { cases: Case[] };
const runtime = ort(module as never);

/** A head whose scores are its inputs: states are the logits and the weights the identity. */
async function run(
  one: Case,
  kind: TagHead["kind"],
  padTo: number,
  expected: Record<string, Tensor> | null = null,
) {
  const { tags, lengths } = one;
  const rows = lengths.length;
  const width = Math.max(...lengths);
  const head: TagHead = { name: "head", kind, tags };
  const b = build(emptyGraph());
  const logits = new Float32Array(rows * padTo * tags);
  for (let s = 0; s < rows; s++)
    for (let i = 0; i < width * tags; i++) logits[s * padTo * tags + i] = one.logits[s * width * tags + i]!;
  const states = b.constant(float32([rows, padTo, tags], logits), "states");
  appendTagHead(b, states, tags, head, random(0));
  for (const [value, tensor] of b.graph.initializers) {
    if (value.name === "head.scores.weight")
      for (let i = 0; i < tags; i++)
        for (let j = 0; j < tags; j++) (tensor.data as Float32Array)[i * tags + j] = i === j ? 1 : 0;
    if (value.name === "head.transitions") (tensor.data as Float32Array).set(one.table);
  }
  const shape = { rows, length: padTo };
  const plan = planTraining(modelOf(b.graph), {
    train: (name) => name === "states" || name === "head.transitions",
    loss: (g, graph, input) => headLoss(g, graph, input, head, shape),
  });
  const session = await runtime.load(writeModel(plan.model));
  const start = Object.fromEntries(plan.parameters) as Record<string, Tensor>;
  const targets = headTargets(
    head,
    one.gold.map((tags) => Int32Array.from(tags)),
    shape,
  );
  const results = await session.run({ ...start, ...(expected ?? targets) });
  await session.close();
  const numbers = (name: string | undefined) =>
    name === undefined ? null : (results[name]!.data as Float32Array);
  return {
    loss: Number(results[plan.loss]!.data[0]),
    dLogits: numbers(plan.gradients.get("states"))!,
    dTable: numbers(plan.gradients.get("head.transitions")),
  };
}

describe.each(cases.map((one) => [one.lengths.join(", "), one] as const))(
  "sequences of %s tokens",
  (_, one) => {
    const { tags, lengths } = one;
    const width = Math.max(...lengths);
    test.each([0, 3, 88])("loss and gradients are PyTorch's, with %d columns of padding", async (more) => {
      const { loss, dLogits, dTable } = await run(one, "crf", width + more);
      expect(loss).toBeCloseTo(one.loss, 5);
      for (const [i, value] of one.dTable.entries()) expect(dTable![i]).toBeCloseTo(value, 5);
      for (const [s, length] of lengths.entries())
        for (let i = 0; i < (width + more) * tags; i++) {
          const asked = i < length * tags ? one.dLogits[s * width * tags + i]! : 0;
          expect(dLogits[s * (width + more) * tags + i]).toBeCloseTo(asked, 5);
        }
    });
    test("the gradient is what tags are expected less what they are", () => {
      const total = lengths.reduce((a, b) => a + b);
      const transitions = transitionsOf(float32([tags + 2, tags], Float32Array.from(one.table)));
      for (const [s, length] of lengths.entries()) {
        const from = s * width * tags;
        const scores = Float32Array.from(one.logits.slice(from, from + length * tags));
        const { probabilities } = marginals(scores, length, transitions);
        for (let i = 0; i < length * tags; i++) {
          const isGold = one.gold[s]![Math.floor(i / tags)] === i % tags;
          expect(one.dLogits[from + i]).toBeCloseTo((probabilities[i]! - (isGold ? 1 : 0)) / total, 5);
        }
      }
    });
  },
);

test("a softmax head counts tokens with a tag alone", async () => {
  const [one] = cases as [Case];
  const { loss, dTable } = await run(
    { ...one, gold: [[0, -1, -1, -1, -1], [-1, -1, -1], [-1]] },
    "softmax",
    5,
  );
  const [scores] = [one.logits.slice(0, one.tags)];
  const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
  expect(loss).toBeCloseTo(Math.log(sum) - scores[0]!, 5);
  expect(dTable).toBeNull();
});

test("a sequence with a token that has no tag is refused", () => {
  expect(() =>
    headTargets({ name: "h", kind: "crf", tags: 2 }, [Int32Array.of(0, -1)], { rows: 1, length: 2 }),
  ).toThrow(/a token without a tag/);
});

describe.each(["crf", "softmax"] as const)("what another tagger expects, for a %s", (kind) => {
  const [one] = cases as [Case];
  const head: TagHead = { name: "head", kind, tags: one.tags };
  const shape = { rows: one.lengths.length, length: Math.max(...one.lengths) };
  test("is what known tags are, where it is certain", () => {
    const gold = one.gold.map((tags) => Int32Array.from(tags));
    const known = gold.map((tags) => knownTags(tags, one.tags));
    const asked = headTargets(head, gold, shape);
    for (const [name, { data }] of Object.entries(expectedTargets(head, known, shape)))
      for (const [i, value] of (data as Float32Array).entries())
        expect(value, `${name} ${i}`).toBeCloseTo((asked[name]!.data as Float32Array)[i]!, 6);
  });
  test("leaves nothing to learn for a head that expects the same", async () => {
    const table = float32([one.tags + 2, one.tags], kind === "crf" ? one.table : one.table.map(() => 0));
    const width = Math.max(...one.lengths);
    const expected = one.lengths.map((length, s) => {
      const own = one.logits.slice(s * width * one.tags, (s * width + length) * one.tags);
      return expectedTags(Float32Array.from(own), length, transitionsOf(table));
    });
    const { dLogits, dTable } = await run(one, kind, width, expectedTargets(head, expected, shape));
    for (const value of [...dLogits, ...(dTable ?? [])]) expect(Math.abs(value)).toBeLessThan(1e-5);
  });
});
