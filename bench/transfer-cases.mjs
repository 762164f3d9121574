// The experiments of the bench of transfer: data, source, and what is compared on which seeds.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { mostProbable, openRun, ortRuntime, pretrainRun, random, readDataset, trainRun } from "graft-ml";
import sharp from "sharp";
import { data } from "./photo-features.mjs";
import { drawShots } from "./photos-tasks.mjs";
import { digits, rawRows, restyled } from "./transfer-digits.mjs";

const threads = 1;

/** A set of rows whose test part is given. */
const setOf = (source, rows) => ({
  source,
  task: "image-classification",
  classes: [...new Set(rows.map(({ label }) => label))].sort(),
  rows,
  skipped: [],
});

/** Trains by a method and says of each test row whether it is right; `like` is the result whose settings are kept. */
async function trained(folder, dataset, test, options) {
  rmSync(folder, { recursive: true, force: true });
  const { like = null, tuning = {}, ...rest } = options;
  if (like !== null && options.method !== "probe" && like.method === "probe") rest.method = "probe";
  const { config } = await trainRun(dataset, {
    ...{ output: folder, threads, baselines: false, ...rest },
    tuning: { ...tuning, ...(rest.method === "probe" ? {} : settled(like)) },
  });
  const runtime = await ortRuntime({ threads });
  const run = await openRun(folder, { runtime });
  const { probabilities } = await run.probabilities(test);
  const right = Array.from(mostProbable(probabilities), (c, i) => (run.classes[c] === test[i].label ? 1 : 0));
  await run.close();
  await runtime.close();
  return { right, method: config.method, chosen: config.chosen, reason: config.reason };
}

/** Settings that the first seed chose on its training rows; later ones keep them. */
function settled(like) {
  if (like === null) return {};
  const { depth, learningRate, epochs } = like.chosen;
  return { depth, learningRate, epochs };
}

/** `shots` labels a class of the pool, and all test rows. */
function fewOf(pool, test, shots, seed) {
  const drawn = drawShots(
    [...pool.keys()],
    pool.map(({ label }) => label),
    shots,
    random(seed).fork("shots"),
  );
  return setOf(`${shots} a class, seed ${seed}`, [...drawn.map((i) => pool[i]), ...test]);
}

/** A network pretrained once, kept between runs of the bench. */
async function source(folder, dataset, options) {
  if (!existsSync(join(folder, "metrics.json")))
    await pretrainRun(dataset, { output: folder, threads, baselines: false, ...options });
  return JSON.parse(readFileSync(join(folder, "metrics.json"), "utf8")).test;
}

const digitCase = (style) => ({
  pairs: [
    ["lp-ft", "scratch"],
    ["probe", "scratch"],
  ],
  /**
   * 2000 digits as the source; the target is drawn from others in another style, the test from the official
   * test part.
   */
  async open(folder, finished) {
    mkdirSync(folder, { recursive: true });
    const part = (name, from, to) =>
      digits(
        join(data, `mnist/${name}-images-idx3-ubyte.gz`),
        join(data, `mnist/${name}-labels-idx1-ubyte.gz`),
        from,
        to,
      );
    const plain = part("train", 0, 2400);
    const all = rawRows(join(folder, "source.raw"), plain.pixels, plain.labels);
    const own = all.map((row, i) => ({ ...row, split: i < 2000 ? "train" : "test" }));
    const architecture = { name: "resnet-small", settings: { width: 16, depth: 1, size: 28, channels: 1 } };
    await finished("source", 0, async () => ({
      ...(await source(join(folder, "source"), setOf("mnist", own), {
        architecture,
        settings: { epochs: 10 },
      })),
      right: [],
    }));
    const wild = part("train", 10_000, 15_000);
    const pool = rawRows(join(folder, "pool.raw"), restyled(wild.pixels, style), wild.labels);
    const held = part("t10k", 0, 1000);
    const test = rawRows(join(folder, "test.raw"), restyled(held.pixels, style), held.labels, {
      split: "test",
    });
    const by = (method) => (seed, like) =>
      trained(join(folder, "run"), fewOf(pool, test, 5, seed), test, {
        seed,
        like,
        ...(method === "scratch" ? { architecture } : { backbones: [`run:${join(folder, "source")}`] }),
        method,
        cache: null,
      });
    return {
      variants: Object.fromEntries(["probe", "lp-ft", "scratch"].map((one) => [one, by(one)])),
      close: async () => {},
    };
  },
});

const hymenoptera = {
  pairs: [
    ["lp-ft", "probe"],
    ["lora", "probe"],
    ["probe", "scratch"],
  ],
  async open(folder) {
    const dataset = await readDataset(join(data, "hymenoptera_256"));
    const test = dataset.rows.filter(({ split }) => split === "val");
    const by = (method) => (seed, like) =>
      trained(join(folder, "run"), dataset, test, {
        seed,
        like,
        method,
        ...(method === "scratch"
          ? {
              architecture: { name: "resnet-small", settings: { width: 8, depth: 1 } },
              tuning: { flip: true },
            }
          : { backbones: [join(data, "models/mobilenet_v2_1.0_224")], head: "logistic" }),
      });
    return {
      variants: Object.fromEntries(["probe", "lp-ft", "lora", "scratch"].map((one) => [one, by(one)])),
      close: async () => {},
    };
  },
};

/**
 * As others fine-tune on these domains: all layers, a few epochs at a usual rate, images cropped, flipped,
 * recoloured.
 */
const WHOLE = { depth: 99, learningRate: 1e-4, epochs: 4, crop: 0.6, flip: true, colour: 0.3 };

const pacs = {
  pairs: [
    ["lp-ft", "probe"],
    ["lp-ft-whole", "probe"],
  ],
  /**
   * Official training rows of three domains, all of the fourth. Domains are groups: choices are made on an
   * unseen one.
   */
  async open(folder) {
    const lines = readFileSync(join(data, "pacs_160_subset/index.csv"), "utf8").trim().split("\n").slice(1);
    const rows = lines.map((line) => {
      const [path, label, domain, part] = line.split(",");
      return {
        part,
        where: path,
        input: { kind: "image", path: join(data, "pacs_160_subset", path) },
        label,
        split: domain === "sketch" ? "test" : "train",
        group: domain,
        weight: 1,
      };
    });
    const test = rows.filter(({ split }) => split === "test");
    const learnt = rows.filter(({ split, part }) => split === "train" && part === "train");
    const dataset = setOf(
      "pacs",
      [...learnt, ...test].map(({ part: _, ...row }) => row),
    );
    const by =
      (method, tuning = {}) =>
      (seed, like) =>
        trained(join(folder, "run"), dataset, test, {
          seed,
          like,
          method,
          backbones: [join(data, "models/mobilenet_v1_0.75_224")],
          head: "logistic",
          tuning,
        });
    return {
      variants: {
        probe: by("probe"),
        "lp-ft": by("lp-ft", { depth: 1, learningRate: 1e-4 }),
        "lp-ft-whole": by("lp-ft", WHOLE),
      },
      close: async () => {},
    };
  },
};

const SHOTS = (process.env.SHOTS ?? "10,50,250").split(",").map(Number);
const cifar = {
  pairs: SHOTS.flatMap((shots) => [
    [`lp-ft ${shots}`, `scratch ${shots}`],
    [`probe ${shots}`, `scratch ${shots}`],
  ]),
  /** The first five classes of the alphabet are the source, the last five the target. */
  async open(folder, finished) {
    mkdirSync(folder, { recursive: true });
    const rows = { train: await cifarRows(folder, "train"), test: await cifarRows(folder, "test") };
    const classes = [...new Set(rows.train.map(({ label }) => label))].sort();
    const of = (part, from, to) => rows[part].filter(({ label }) => classes.slice(from, to).includes(label));
    const architecture = { name: "resnet-small", settings: { width: 8, depth: 1 } };
    await finished("source", 0, async () => {
      const set = setOf("cifar source", [...of("train", 0, 5), ...of("test", 0, 5)]);
      const settings = { epochs: 12, flip: true, learningRate: 3e-3 };
      return { ...(await source(join(folder, "source"), set, { architecture, settings })), right: [] };
    });
    const [pool, test] = [of("train", 5, 10), of("test", 5, 10)];
    const by = (method, shots) => (seed, like) =>
      trained(join(folder, "run"), fewOf(pool, test, shots, seed), test, {
        seed,
        like,
        method,
        ...(method === "scratch" ? { architecture } : { backbones: [`run:${join(folder, "source")}`] }),
        tuning: shots === 250 && method === "scratch" ? { epochs: 15 } : {},
        cache: null,
      });
    return {
      variants: Object.fromEntries(
        SHOTS.flatMap((shots) =>
          ["probe", "lp-ft", "scratch"].map((one) => [`${one} ${shots}`, by(one, shots)]),
        ),
      ),
      close: async () => {},
    };
  },
};

/** Images a class that are taken, the first by name. */
const TAKEN = { train: 1000, test: 200 };

/** Decodes a part of CIFAR-10 into one file of pixels. */
async function cifarRows(folder, part) {
  const unpacked = join(folder, part);
  const file = join(folder, `${part}.raw`);
  if (!existsSync(unpacked)) {
    mkdirSync(unpacked);
    execFileSync("tar", ["xzf", join(data, `cifar10_jpeg/cifar10_${part}.tar.gz`), "-C", unpacked]);
  }
  const paths = readdirSync(unpacked, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && /\.jpe?g$/.test(one.name))
    .map((one) => join(one.parentPath, one.name))
    .sort()
    .filter(firstOfEach(TAKEN[part]));
  const labels = paths.map((path) => path.split("/").at(-2));
  const pixels = existsSync(file)
    ? readFileSync(file)
    : Buffer.concat(
        await inTurn(paths, (path) => sharp(path).removeAlpha().toColourspace("srgb").raw().toBuffer()),
      );
  return rawRows(file, pixels, labels, { side: 32, channels: 3, split: part });
}

function firstOfEach(count) {
  const seen = new Map();
  return (path) => {
    const folder = path.slice(0, path.lastIndexOf("/"));
    seen.set(folder, (seen.get(folder) ?? 0) + 1);
    return seen.get(folder) <= count;
  };
}

async function inTurn(items, make) {
  const made = [];
  for (let at = 0; at < items.length; at += 64)
    made.push(...(await Promise.all(items.slice(at, at + 64).map(make))));
  return made;
}

/**
 * By name: `open` gives the variants, functions of a seed and the first seed's result; `pairs` which are
 * compared.
 */
export const cases = {
  digits: digitCase({ isInverted: false }),
  "inverted-digits": digitCase({ isInverted: true }),
  hymenoptera,
  pacs,
  cifar,
};
