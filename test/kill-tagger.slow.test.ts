import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeKilled, expectSameRun, killedAfter, started, timed } from "./killed-program.ts";

/** Lines of CoNLL-U: words of random letters whose last one says their part of speech. */
function treebank(count: number): string {
  const source = random(3);
  const letters = "abcdefgh";
  return Array.from({ length: count }, () => {
    const lines = Array.from({ length: 2 + source.integer(8) }, (_, t) => {
      const form = Array.from({ length: 3 }, () => letters[source.integer(8)]!).join("");
      const tag = letters.indexOf(form[2]!) < 4 ? "NOUN" : "VERB";
      return [t + 1, form, "_", tag, "_", "_", "_", "_", "_", "_"].join("\t");
    });
    return `${lines.join("\n")}\n\n`;
  }).join("");
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-tagger-"));
  await writeFile(join(folder, "data.conllu"), treebank(500));
});
afterAll(() => rm(folder, { recursive: true }));

function training(output: string) {
  const settings = "units=6,wordWidth=6,affixWidth=4,affixRows=32,batchTokens=12,characters=no";
  const args = ["train", join(folder, "data.conllu"), "--output", output, "--arch-options", settings];
  return started([...args, "--epochs", "4", "--threads", "1"]);
}

test.skipIf(!canBeKilled("a tagger"))(
  "kill -9 at six random moments of training a tagger: the next run finishes with the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const milliseconds = await timed(training(undisturbed));
    const moments = random(7);
    let resumed = 0;
    for (let i = 0; i < 6; i++) {
      const output = join(folder, `killed-${i}`);
      await killedAfter(training(output), (0.2 + 0.8 * moments.uniform()) * milliseconds);
      if (existsSync(join(output, "checkpoints", "tagger.safetensors"))) resumed++;
      expect(await training(output).ended).toBe(0);
      await expectSameRun(output, undisturbed, `after kill ${i}`);
    }
    expect(resumed).toBeGreaterThan(0);
  },
);
