import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { random } from "@graft-ml/core";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";

const program = fileURLToPath(new URL("../../dist/index.js", import.meta.url));
const isBuilt = existsSync(program);
if (!isBuilt) console.info("extract: not built (npx tsc -b), so kill -9 is not tested");

const data = fileURLToPath(new URL("../../../../../shared/data/", import.meta.url));
const network = join(data, "models/mobilenet_v2_1.0_224");
const photographs = join(data, "hymenoptera_256/train/bees");
const hasData = existsSync(network) && existsSync(photographs);
if (!hasData) console.info("extract: no ../shared/data, so kill -9 is tested with raw pixels alone");

let folder: string;
const COUNT = 300;

/**
 * Extracts the photos in the first argument to the second: with the network in the third, or with raw pixels
 * as features; slowly, so that work is kept (every two seconds) several times before the end and most kills
 * leave something to go on from.
 */
const script = `
  const graft = await import(${JSON.stringify(program)});
  const [photos, output, network] = process.argv.slice(1);
  const { readdirSync } = await import("node:fs");
  const rows = readdirSync(photos).sort().map((name) => ({
    where: name, input: { kind: "image", path: photos + "/" + name }, label: null, split: null, group: null, weight: 1,
  }));
  let [plain, model, modelHash] = [graft.rawPixels(), graft.writeModel(graft.rawPixelTrunk()), "none"];
  if (network !== undefined) {
    const backbone = await graft.resolveBackbone(network);
    const trunk = graft.readModel(backbone.model);
    trunk.graph.outputs = trunk.graph.outputs.filter(({ name }) => name === "features");
    trunk.graph = graft.prune(trunk.graph);
    plain = graft.imagePreprocessor({ config: backbone.preprocessorConfig, input: backbone.imageInput });
    [model, modelHash] = [graft.writeModel(trunk), backbone.sha256];
  }
  const preprocessor = { ...plain, async prepare(inputs) {
    await new Promise((resolve) => setTimeout(resolve, 600));
    return await plain.prepare(inputs);
  } };
  const runtime = await graft.ortRuntime({ throughput: network !== undefined });
  const extracted = await graft.extractFeatures({
    rows, model, preprocessor, runtime, modelHash, layer: "features", cache: null, output, batchSize: 8,
  });
  console.log(extracted.computed);
  await extracted.close();
  await runtime.close();
`;

function extraction(...args: readonly string[]) {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const ended = new Promise<number>((resolve) =>
    child.on("exit", (code) => resolve(code === 0 ? Number(text) : -1)),
  );
  return { kill: () => child.kill("SIGKILL"), ended };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-kill-"));
  await mkdir(join(folder, "photos"));
  const source = random(5);
  for (let i = 0; i < COUNT; i++) {
    const pixels = Uint8Array.from({ length: 40 * 40 * 3 }, () => source.integer(256));
    await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
      .png()
      .toFile(join(folder, "photos", `${String(i).padStart(3, "0")}.png`));
  }
});

afterAll(() => rm(folder, { recursive: true }));

test.skipIf(!isBuilt)(
  "kill -9 at ten random moments: the next run finishes with the same bytes",
  async () => {
    await killTenTimes({ name: "raw", photos: join(folder, "photos"), backbone: [] });
  },
);

test.skipIf(!isBuilt || !hasData)("the same with MobileNetV2, two batches at a time", async () => {
  await killTenTimes({ name: "network", photos: photographs, backbone: [network] });
});

async function killTenTimes({ name, photos, backbone }: Killed): Promise<void> {
  const count = (await readdir(photos)).length;
  const undisturbed = join(folder, name);
  const begin = performance.now();
  expect(await extraction(photos, undisturbed, ...backbone).ended).toBe(count);
  const milliseconds = performance.now() - begin;
  const moments = random(11);
  let saved = 0;
  for (let i = 0; i < 10; i++) {
    const output = join(folder, `${name}-killed-${i}`);
    const killed = extraction(photos, output, ...backbone);
    await sleep(moments.uniform() * milliseconds);
    killed.kill();
    await killed.ended;
    const computed = await extraction(photos, output, ...backbone).ended;
    expect(computed).toBeGreaterThanOrEqual(0);
    saved += count - computed;
    expect((await readdir(output)).sort()).toEqual((await readdir(undisturbed)).sort());
    for (const file of await readdir(undisturbed)) {
      const same = (await readFile(join(output, file))).equals(await readFile(join(undisturbed, file)));
      expect(same, `${file} after kill ${i}`).toBe(true);
    }
  }
  expect(saved).toBeGreaterThan(0); // some of it went on where it was, and did not start over
}

interface Killed {
  readonly name: string;
  readonly photos: string;
  /** The folder of a network, or nothing. */
  readonly backbone: readonly string[];
}
