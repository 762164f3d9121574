import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Dataset, Row } from "@graft-ml/core";
import { expect, test } from "vitest";
import { trainTaggerRun } from "./train-tagger-run.ts";

/** Sentences of three words, each word always with the same tag. */
function dataset(): Dataset {
  const words = ["a", "cat", "sees", "the", "dog", "runs"];
  const tags = ["DET", "NOUN", "VERB", "DET", "NOUN", "VERB"];
  const rows = Array.from({ length: 200 }, (_, i): Row => {
    const ids = [i % 6, (i * 5 + 1) % 6, (i * 7 + (i >> 3)) % 6, (i >> 2) % 6];
    const texts = [...ids.map((id) => words[id]!), `w${i}`];
    return {
      where: `row ${i}`,
      input: { kind: "text", text: texts.join(" ") },
      label: null,
      split: i % 5 === 0 ? "test" : i % 5 === 1 ? "val" : "train",
      group: null,
      weight: 1,
      tokens: { texts, tags: [...ids.map((id) => tags[id]!), "X"], starts: new Int32Array(5) },
    };
  });
  return {
    source: "sentences",
    task: "token-classification",
    classes: [...new Set(tags)],
    rows,
    skipped: [],
  };
}

test("a training that was stopped and goes on ends in the same bytes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graft-resume-"));
  const settings = {
    units: 4,
    wordWidth: 4,
    affixRows: 16,
    affixWidth: 2,
    batchTokens: 8,
    epochs: 3,
    characters: "no",
  };
  const whole = join(folder, "whole");
  await trainTaggerRun(dataset(), { output: whole, settings, threads: 1 });
  const broken = join(folder, "broken");
  const stop = new AbortController();
  const begun = trainTaggerRun(dataset(), {
    output: broken,
    settings,
    threads: 1,
    signal: stop.signal,
    onProgress: (task, done) => task === "train" && done === 2 && stop.abort(),
  });
  await expect(begun).rejects.toThrow(/abort/i);
  expect(await readdir(join(broken, "checkpoints"))).toEqual(["tagger.safetensors"]);
  await trainTaggerRun(dataset(), { output: broken, settings, threads: 1 });
  for (const file of ["model.onnx", "tagger.json", "predictions.jsonl"])
    expect(await readFile(join(broken, file))).toEqual(await readFile(join(whole, file)));
  expect(await readdir(broken)).not.toContain("checkpoints");
  await rm(folder, { recursive: true });
});
