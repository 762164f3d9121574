import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";

const program = fileURLToPath(new URL("../packages/node/bin/graft.js", import.meta.url));
const isBuilt = existsSync(fileURLToPath(new URL("../packages/node/dist/cli/main.js", import.meta.url)));

/** Whether the program is built and can be killed; where it is not, that is said. */
export function canBeKilled(what: string): boolean {
  if (!isBuilt) console.info(`not built (npx tsc -b), so kill -9 of ${what} is not tested`);
  return isBuilt;
}

/** The built program in a process of its own. */
export function started(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [program, ...args, "--quiet"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  let out = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  return { ended, kill: () => child.kill("SIGKILL"), out: () => out };
}

export type Started = ReturnType<typeof started>;

/** Runs to the end, and says for how many milliseconds. */
export async function timed(run: Started): Promise<number> {
  const begin = performance.now();
  expect(await run.ended).toBe(0);
  return performance.now() - begin;
}

/** Its exit code where it ended before, null where it was killed after so many milliseconds. */
export async function killedAfter(run: Started, milliseconds: number): Promise<number | null> {
  await sleep(milliseconds);
  run.kill();
  return await run.ended;
}

/** Expects two folders of runs to hold the same files, and the same bytes but for what no two runs share. */
export async function expectSameRun(output: string, undisturbed: string, when: string): Promise<void> {
  const names = (await readdir(undisturbed)).sort();
  expect(names).toEqual(expect.arrayContaining(["metrics.json", "model.onnx"]));
  expect((await readdir(output)).sort()).toEqual(names);
  for (const name of names.filter((one) => !/^(report\.html|README\.md|log\.jsonl)$/.test(one)))
    expect(await content(output, name), `${name} ${when}`).toBe(await content(undisturbed, name));
}

/** A file without what differs between any two runs: times, and the name of the folder. */
async function content(output: string, name: string): Promise<string> {
  const bytes = await readFile(join(output, name));
  if (!/^(metrics|report)\.json$/.test(name)) return bytes.toString("base64");
  const json = JSON.parse(bytes.toString());
  if (json.metrics) json.metrics.timing = null;
  return JSON.stringify({ ...json, timing: null, command: null });
}
