import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeKilled, killedAfter, started, timed } from "./killed-program.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-embed-"));
  const source = random(1);
  const word = () => `w${Math.floor(2000 * source.uniform() ** 2)}`;
  const texts = Array.from({ length: 20_000 }, () => Array.from({ length: 15 }, word).join(" "));
  await writeFile(join(folder, "corpus.txt"), `${texts.join("\n")}\n`);
});

afterAll(() => rm(folder, { recursive: true }));

function embedding(output: string) {
  const settings = "--dim 64 --epochs 15 --seed 3 --checkpoint 1 --phrases 1 --threads 1 --json";
  const args = ["embed", join(folder, "corpus.txt"), "--output", output, ...settings.split(" ")];
  return started(args);
}

test.skipIf(!canBeKilled("graft embed"))(
  "kill -9 in the middle of graft embed, at random moments and behind a checkpoint: the next run ends with the same bytes",
  async () => {
    const whole = join(folder, "whole.bin");
    const milliseconds = await timed(embedding(whole));
    const expected = await readFile(whole);
    const moments = random(5);
    for (let i = 0; i < 4; i++) {
      const output = join(folder, `killed-${i}.bin`);
      const killed = embedding(output);
      const isBehind = i % 2 === 0;
      if (isBehind) while (!existsSync(`${output}.work/state.json`)) await sleep(20);
      await killedAfter(killed, moments.uniform() * (isBehind ? 500 : milliseconds));
      expect(existsSync(output) && isBehind).toBe(false);
      const again = embedding(output);
      expect(await again.ended).toBe(0);
      if (isBehind) expect(JSON.parse(again.out()).resumed).toBeGreaterThan(0);
      expect(existsSync(`${output}.work`)).toBe(false);
      expect((await readFile(output)).equals(expected), `after kill ${i}`).toBe(true);
    }
  },
);
