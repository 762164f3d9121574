import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeStripedPhotos } from "./striped-photos.ts";

const program = fileURLToPath(new URL("../packages/node/bin/graft.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../packages/node/dist/cli/main.js", import.meta.url)));
if (!isBuilt) console.info("train: not built (npx tsc -b), so kill -9 is not tested");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-train-"));
  await writeStripedPhotos(folder, 40);
});

afterAll(() => rm(folder, { recursive: true }));

function training(output: string, cache: string) {
  const settings = "--method lp-ft --epochs 6 --learning-rate 0.001 --depth 1 --scratch no --threads 1";
  const args = ["train", join(folder, "photos"), "--backbone", join(folder, "net"), "--output", output];
  const child = spawn(
    process.execPath,
    [program, ...args, ...settings.split(" "), "--head", "logistic", "--quiet"],
    {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, GRAFT_CACHE: cache },
    },
  );
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return { kill: () => child.kill("SIGKILL"), ended };
}

/** A file without what differs between any two runs: times, and the name of the folder. */
async function content(output: string, name: string): Promise<string> {
  const bytes = await readFile(join(output, name));
  if (name === "metrics.json" || name === "report.json")
    return JSON.stringify({ ...JSON.parse(bytes.toString()), timing: null, command: null });
  return bytes.toString("base64");
}

test.skipIf(!isBuilt)(
  "kill -9 at ten random moments of a train run: the next run finishes with the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const begin = performance.now();
    expect(await training(undisturbed, join(folder, "cache")).ended).toBe(0);
    const milliseconds = performance.now() - begin;
    const moments = random(7);
    const names = (await readdir(undisturbed)).filter(
      (name) => !/^(report\.html|README\.md|log\.jsonl)$/.test(name),
    );
    expect(names).toContain("metrics.json");
    for (let i = 0; i < 10; i++) {
      const output = join(folder, `killed-${i}`);
      const cache = join(folder, `cache-${i}`);
      const killed = training(output, cache);
      await sleep(moments.uniform() * milliseconds);
      killed.kill();
      await killed.ended;
      expect(await training(output, cache).ended).toBe(0);
      expect((await readdir(output)).sort()).toEqual((await readdir(undisturbed)).sort());
      for (const name of names)
        expect(await content(output, name), `${name} after kill ${i}`).toBe(await content(undisturbed, name));
    }
  },
);
