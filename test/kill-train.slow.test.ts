import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { canBeKilled, expectSameRun, killedAfter, started, timed } from "./killed-program.ts";
import { writeStripedPhotos } from "./striped-photos.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-train-"));
  await writeStripedPhotos(folder, 40);
});

afterAll(() => rm(folder, { recursive: true }));

function training(output: string, cache: string) {
  const settings = "--method lp-ft --epochs 6 --learning-rate 0.001 --depth 1 --scratch no --threads 1";
  const args = ["train", join(folder, "photos"), "--backbone", join(folder, "net"), "--output", output];
  return started([...args, ...settings.split(" "), "--head", "logistic"], { GRAFT_CACHE: cache });
}

test.skipIf(!canBeKilled("a train run"))(
  "kill -9 at ten random moments of a train run: the next run finishes with the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const milliseconds = await timed(training(undisturbed, join(folder, "cache")));
    const moments = random(7);
    for (let i = 0; i < 10; i++) {
      const output = join(folder, `killed-${i}`);
      const cache = join(folder, `cache-${i}`);
      await killedAfter(training(output, cache), moments.uniform() * milliseconds);
      expect(await training(output, cache).ended).toBe(0);
      await expectSameRun(output, undisturbed, `after kill ${i}`);
    }
  },
);
