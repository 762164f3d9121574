import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeKilled, expectSameRun, killedAfter, started, timed } from "./killed-program.ts";

let folder: string;

/** Sentences of numbers' names: a part of speech and a chunk for each token, and a class for each sentence. */
function sentences(from: number, count: number) {
  const [names, verbs] = [
    ["one", "two", "three", "four"],
    ["follows", "precedes", "equals"],
  ] as const;
  return Array.from({ length: count }, (_, i) => {
    const source = random(from + i);
    const one = (list: readonly string[]) => list[source.integer(list.length)]!;
    const side = () => [
      ["the", "DET", "B-NP"],
      ...(source.uniform() < 0.5 ? [["next", "ADJ", "I-NP"]] : []),
      [one(names), "NUM", "I-NP"],
    ];
    return [...side(), [one(verbs), "VERB", "B-VP"], ...side(), [`${from + i}`, "X", "O"]];
  });
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-multitask-"));
  const rows = sentences(0, 160);
  await writeFile(
    join(folder, "tags.conll"),
    rows.map((row) => row.map((cells) => cells.join(" ")).join("\n")).join("\n\n"),
  );
  await writeFile(
    join(folder, "verbs.csv"),
    [
      "text,label",
      ...sentences(500, 80).map((row) =>
        [row.map(([word]) => word).join(" "), row.find(([, pos]) => pos === "VERB")![0]].join(","),
      ),
    ].join("\n"),
  );
  await writeFile(
    join(folder, "tasks.json"),
    JSON.stringify({
      trunk: {
        arch: "bilstm",
        options: { wordWidth: 12, affixRows: 100, units: 16, batchTokens: 64, layers: 2 },
      },
      training: { epochs: 8, learningRate: 0.01 },
      tasks: {
        pos: { kind: "tagging", data: "tags.conll", column: "tag=2", layer: "encoder.0" },
        chunk: { kind: "tagging", data: "tags.conll" },
        verb: { data: "verbs.csv" },
        words: { kind: "mlm" },
      },
    }),
  );
});
afterAll(() => rm(folder, { recursive: true }));

function running(output: string) {
  const args = ["multitask", join(folder, "tasks.json"), "--output", output, "--affinity", "--threads", "1"];
  return started(args);
}

test.skipIf(!canBeKilled("a joint run"))(
  "kill -9 at random moments of joint runs of tags, classes and hidden words: the next run ends in the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const milliseconds = await timed(running(undisturbed));
    const moments = random(11);
    for (let i = 0; i < 3; i++) {
      const output = join(folder, `killed-${i}`);
      // What goes on from a kill may be done before the next one comes; a finished run is not begun again.
      let code: number | null = null;
      for (let kill = 0; kill < 2 && code === null; kill++)
        code = await killedAfter(running(output), (0.2 + 0.7 * moments.uniform()) * milliseconds);
      expect(code ?? (await running(output).ended)).toBe(0);
      await expectSameRun(output, undisturbed, `after kill ${i}`);
    }
  },
);
