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
if (!isBuilt) console.info("multitask: not built (npx tsc -b), so kill -9 is not tested");

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
  const child = spawn(process.execPath, [program, ...args, "--quiet"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("exit", (code) => resolve(code)));
  return { kill: () => child.kill("SIGKILL"), ended };
}

/** A file without what differs between any two runs: times, and the name of the folder. */
async function content(output: string, name: string): Promise<string> {
  const bytes = await readFile(join(output, name));
  if (!/^(metrics|report)\.json$/.test(name)) return bytes.toString("base64");
  const json = JSON.parse(bytes.toString());
  if (json.metrics) json.metrics.timing = null;
  return JSON.stringify({ ...json, timing: null, command: null });
}

test.skipIf(!isBuilt)(
  "kill -9 at random moments of joint runs of tags, classes and hidden words: the next run ends in the same bytes",
  async () => {
    const undisturbed = join(folder, "undisturbed");
    const begin = performance.now();
    expect(await running(undisturbed).ended).toBe(0);
    const milliseconds = performance.now() - begin;
    const moments = random(11);
    const names = (await readdir(undisturbed)).filter(
      (name) => !/^(report\.html|README\.md|log\.jsonl)$/.test(name),
    );
    expect(names).toContain("metrics.json");
    for (let i = 0; i < 3; i++) {
      const output = join(folder, `killed-${i}`);
      // What goes on from a kill may be done before the next one comes; a finished run is not begun again.
      let code: number | null = null;
      for (let kill = 0; kill < 2 && code === null; kill++) {
        const killed = running(output);
        await sleep((0.2 + 0.7 * moments.uniform()) * milliseconds);
        killed.kill();
        code = await killed.ended;
      }
      expect(code ?? (await running(output).ended)).toBe(0);
      expect((await readdir(output)).sort()).toEqual((await readdir(undisturbed)).sort());
      for (const name of names)
        expect(await content(output, name), `${name} after kill ${i}`).toBe(await content(undisturbed, name));
    }
  },
);
