import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { random } from "@graft-ml/core";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../packages/node/bin/graft.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../packages/node/dist/cli/main.js", import.meta.url)));
if (!isBuilt) console.info("train: not built (npx tsc -b), so kill -9 of a tagger is not tested");

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
  const child = spawn(process.execPath, [program, ...args, "--epochs", "4", "--threads", "1", "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return { kill: () => child.kill("SIGKILL"), ended };
}

/** A file without what differs between any two runs: times, and the name of the folder. */
async function content(output: string, name: string): Promise<string> {
  const bytes = await readFile(join(output, name));
  if (name === "metrics.json" || name === "report.json")
    return JSON.stringify({ ...JSON.parse(bytes.toString()), timing: null, metrics: null, command: null });
  return bytes.toString("base64");
}

test.skipIf(!isBuilt)(
  "kill -9 at six random moments of training a tagger: the next run finishes with the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const begin = performance.now();
    expect(await training(undisturbed).ended).toBe(0);
    const milliseconds = performance.now() - begin;
    const moments = random(7);
    const names = (await readdir(undisturbed)).filter(
      (name) => !/^(report\.html|README\.md|log\.jsonl)$/.test(name),
    );
    expect(names).toContain("model.onnx");
    let resumed = 0;
    for (let i = 0; i < 6; i++) {
      const output = join(folder, `killed-${i}`);
      const killed = training(output);
      await sleep((0.2 + 0.8 * moments.uniform()) * milliseconds);
      killed.kill();
      await killed.ended;
      if (existsSync(join(output, "checkpoints", "tagger.safetensors"))) resumed++;
      expect(await training(output).ended).toBe(0);
      expect((await readdir(output)).sort()).toEqual((await readdir(undisturbed)).sort());
      for (const name of names)
        expect(await content(output, name), `${name} after kill ${i}`).toBe(await content(undisturbed, name));
    }
    expect(resumed).toBeGreaterThan(0);
  },
);
