import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { InputError, random } from "@graft-ml/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Fault, hashOf, type Repository, startHub } from "../../../../test/hub-server.ts";
import { type HubSettings, hubSettings, openSnapshot, parseHubReference } from "./index.ts";

const COMMIT = "a".repeat(40);
const NEXT_COMMIT = "b".repeat(40);
const SIZE = 300_000;
const model = Buffer.from(random(1).permutation(SIZE / 4).buffer);
const config = Buffer.from('{"model_type": "toy"}');

let cache: string;
let hub: Awaited<ReturnType<typeof startHub>>;
let toy: Repository;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "graft-hub-"));
  toy = {
    commit: COMMIT,
    refs: { main: COMMIT, "refs/pr/1": COMMIT },
    files: {
      "onnx/model.onnx": { content: model, lfs: true },
      "config.json": { content: config, lfs: false },
    },
  };
  hub = await startHub({ "owner/toy": toy });
});
afterEach(async () => {
  await hub.close();
  await rm(cache, { recursive: true });
});

const open = (given: Partial<HubSettings> = {}, spec = "hf:owner/toy") =>
  openSnapshot(
    parseHubReference(spec),
    hubSettings({ endpoint: hub.endpoint, cache, pauseMs: 1, timeoutMs: 2000, ...given }, {}),
  );

async function fetchAll(given: Partial<HubSettings> = {}, spec?: string) {
  const snapshot = await open(given, spec);
  const paths = await snapshot.fetch(["onnx/model.onnx", "config.json"]);
  await snapshot.keep();
  expect(readFileSync(paths[0]!).equals(model)).toBe(true);
  expect(readFileSync(paths[1]!).equals(config)).toBe(true);
  return snapshot;
}

const storage = () => join(cache, "models--owner--toy");
const modelBlob = () => join(storage(), "blobs", hashOf(toy.files["onnx/model.onnx"]!));

/** Every file below the cache; of a link, where it leads. */
async function layout(): Promise<string[]> {
  const entries = await readdir(cache, { recursive: true, withFileTypes: true });
  const lines = entries
    .filter((entry) => !entry.isDirectory())
    .map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const name = relative(cache, path);
      return entry.isSymbolicLink() ? `${name} -> ${await readlink(path)}` : name;
    });
  return (await Promise.all(lines)).sort();
}

// As huggingface_hub 2.4.0 leaves it (snapshot_download), but for its lock files.
const expectedLayout = () => [
  `models--owner--toy/blobs/${hashOf(toy.files["config.json"]!)}`,
  `models--owner--toy/blobs/${hashOf(toy.files["onnx/model.onnx"]!)}`,
  "models--owner--toy/refs/main",
  `models--owner--toy/snapshots/${COMMIT}/config.json -> ../../blobs/${hashOf(toy.files["config.json"]!)}`,
  `models--owner--toy/snapshots/${COMMIT}/onnx/model.onnx -> ../../../blobs/${hashOf(toy.files["onnx/model.onnx"]!)}`,
  `models--owner--toy/trees/${COMMIT}.json`,
];

describe("a hub that behaves", () => {
  it("leaves the cache in the hub's own layout", async () => {
    await fetchAll();
    expect(await layout()).toEqual(expectedLayout().sort());
    expect(await readFile(join(storage(), "refs", "main"), "utf8")).toBe(COMMIT);
  });

  it("is not asked again: the cache answers for branches, commits and a nested ref, online and offline", async () => {
    await fetchAll();
    await fetchAll({}, "hf:owner/toy@refs/pr/1");
    hub.requests.length = 0;
    await fetchAll();
    await fetchAll({ offline: true });
    await fetchAll({ offline: true }, "hf:owner/toy@refs/pr/1");
    await fetchAll({ offline: true }, `hf:owner/toy@${COMMIT}`);
    expect(hub.requests).toEqual([]);
  });

  it("reports bytes up to the sum of the sizes", async () => {
    const seen: [number, number][] = [];
    await fetchAll({ onProgress: (_, done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([model.length + config.length, model.length + config.length]);
    expect(seen.every(([done], i) => i === 0 || done >= seen[i - 1]![0])).toBe(true);
  });

  it("moves on with a branch only when asked to refresh, and keeps the old commit until the new one is whole", async () => {
    await fetchAll();
    toy.commit = NEXT_COMMIT;
    toy.refs.main = NEXT_COMMIT;
    expect((await open()).commit).toBe(COMMIT);
    const next = await open({ refresh: true });
    expect(next.commit).toBe(NEXT_COMMIT);
    expect((await open({ offline: true })).commit).toBe(COMMIT);
    await next.fetch(["config.json"]);
    await next.keep();
    expect((await open({ offline: true })).commit).toBe(NEXT_COMMIT);
  });

  it("puts the files themselves into the snapshot where links cannot be made", async () => {
    await fetchAll({ symlinks: false });
    expect((await layout()).filter((line) => line.includes("->") || line.includes("blobs/"))).toEqual([]);
    hub.requests.length = 0;
    await fetchAll({ symlinks: false, offline: true });
    expect(hub.requests).toEqual([]);
  });

  it("sends the token to the hub and never to the store it redirects to", async () => {
    toy.token = "secret";
    await fetchAll({ token: "secret" });
    expect(hub.requests.filter(({ host }) => host === "hub").map((r) => r.authorization)).toEqual(
      Array(4).fill("Bearer secret"),
    );
    expect(hub.requests.filter(({ host }) => host === "store").map((r) => r.authorization)).toEqual([null]);
  });
});

describe("a hub that fails and recovers", () => {
  const broken: [string, Fault[]][] = [
    [
      "breaks off after 1, 100 000 and 199 999 bytes",
      [1, 100_000, 99_998].map((after) => ({ kind: "cut", after })),
    ],
    ["breaks off before the first byte", [{ kind: "cut", after: 0 }]],
    ["inverts a byte", [{ kind: "flip", at: 1234 }]],
    [
      "inverts a byte, then breaks off",
      [
        { kind: "flip", at: 5 },
        { kind: "cut", after: 70_000 },
      ],
    ],
    ["claims a shorter length", [{ kind: "length", claim: 1000 }]],
    ["claims a longer length", [{ kind: "length", claim: SIZE + 1000 }]],
    ["sends more than it lists", [{ kind: "more", bytes: 4096 }]],
    ["answers 500, 503 and 429", [500, 503, 429].map((status) => ({ kind: "status", status }))],
    ["never answers once", [{ kind: "silence" }]],
    ["falls silent in mid-file", [{ kind: "stall", after: 50_000 }]],
    ["announces other content once", [{ kind: "etag", etag: "c".repeat(64) }]],
    ["ignores the range it is asked for", [{ kind: "cut", after: 9000 }, { kind: "no-range" }]],
    ["answers another range", [{ kind: "cut", after: 9000 }, { kind: "wrong-range" }]],
  ];
  it.each(broken)("gets the whole file where it %s", async (_, faults) => {
    hub.spoil("onnx/model.onnx", ...faults);
    await fetchAll({ timeoutMs: 300 });
    expect((await layout()).filter((line) => line.includes("incomplete") || line.includes(".lock"))).toEqual(
      [],
    );
  });

  it("goes on where an earlier call stopped, without fetching a byte twice", async () => {
    hub.spoil("onnx/model.onnx", { kind: "cut", after: 123_456 });
    await expect(fetchAll({ attempts: 1 })).rejects.toThrow("What arrived is kept");
    hub.requests.length = 0;
    await fetchAll();
    expect(hub.requests.filter(({ host }) => host === "store").map(({ range }) => range)).toEqual([
      "bytes=123456-",
    ]);
  });

  it("asks again for the listing after passing failures, waiting as long as the hub says", async () => {
    hub.spoil("/revision/main", { kind: "status", status: 429, headers: { "retry-after": "1" } });
    hub.spoil(`/tree/${COMMIT}`, { kind: "status", status: 502 });
    const waited = vi.spyOn(globalThis, "setTimeout");
    await fetchAll();
    expect(waited.mock.calls.map(([, ms]) => ms)).toContain(1000);
    waited.mockRestore();
  });

  it("replaces a damaged file of the cache and says so", async () => {
    await fetchAll();
    const damaged = await readFile(modelBlob());
    damaged[77]! ^= 1;
    await writeFile(modelBlob(), damaged);
    await expect(fetchAll({ offline: true })).rejects.toThrow("damaged");
    const snapshot = await fetchAll();
    expect(snapshot.notes).toEqual([expect.stringContaining("was damaged and is fetched again")]);
    await truncate(modelBlob(), 10);
    await fetchAll();
  });

  it("uses what the cache has where the hub is down, and says so", async () => {
    await fetchAll();
    await rm(join(storage(), "trees"), { recursive: true }); // as an older Python client leaves it
    await hub.close();
    const snapshot = await fetchAll({ attempts: 2 });
    expect(snapshot.names.toSorted()).toEqual(["config.json", "onnx/model.onnx"]);
    expect(snapshot.notes).toEqual([expect.stringContaining("as the cache has it")]);
  });
});

describe("a hub that cannot give what is asked", () => {
  const gone = (fault: Fault) => Array<Fault>(20).fill(fault);
  it.each<[string, Fault, string]>([
    ["other content than it lists", { kind: "flip", at: 7 }, "never with the content the hub lists"],
    ["other content than it announces", { kind: "etag", etag: "c".repeat(64) }, "where the hub lists"],
    ["more bytes than it lists", { kind: "more", bytes: 1 }, "sends more than the 300000 bytes"],
    ["always 500", { kind: "status", status: 500 }, "answered 500; after 3 attempts given up"],
    [
      "a missing file",
      { kind: "status", status: 404, headers: { "x-error-code": "EntryNotFound" } },
      "does not have",
    ],
    ["too many requests", { kind: "status", status: 429 }, "wait some minutes, or set HF_TOKEN"],
    [
      "a consent to give",
      { kind: "status", status: 403, headers: { "x-error-code": "GatedRepo" } },
      "accept it at",
    ],
    ["silence", { kind: "silence" }, "silent for 0.2 s"],
    ["a redirect to a file", { kind: "redirect", to: "file:///etc/passwd" }, "which is not https"],
    ["a redirect to nowhere", { kind: "redirect", to: "http://[" }, "which is no address"],
  ])("ends in one clear error: %s", async (_, fault, message) => {
    hub.spoil("onnx/model.onnx", ...gone(fault));
    const failed = fetchAll({ attempts: 3, timeoutMs: 200 });
    await expect(failed).rejects.toThrow(InputError);
    await expect(failed).rejects.toThrow(message);
    expect(existsSync(modelBlob())).toBe(false);
  });

  it("ends a redirect in a circle", async () => {
    hub.spoil(
      "onnx/model.onnx",
      ...gone({ kind: "redirect", to: `/owner/toy/resolve/${COMMIT}/onnx/model.onnx` }),
    );
    await expect(fetchAll()).rejects.toThrow("after 8 redirects");
  });

  it.each([
    ["hf:owner/other", "there is no such repository, or it is private"],
    ["hf:owner/toy@nowhere", "there is no branch, tag or commit nowhere"],
  ])("names what is missing: %s", async (spec, message) => {
    await expect(open({}, spec)).rejects.toThrow(message);
  });

  it("says of a refused token that it is the token", async () => {
    toy.token = "right";
    await expect(open({ token: "wrong" })).rejects.toThrow("the token in HF_TOKEN may not read it");
  });

  it("refuses a hub that answers with a login page", async () => {
    hub.spoil("/revision/main", { kind: "status", status: 200 });
    await expect(open()).rejects.toThrow("did not answer with JSON");
  });

  it("says what is missing offline", async () => {
    await expect(open({ offline: true })).rejects.toThrow("revision main is not in the cache");
    const snapshot = await open();
    await snapshot.fetch(["config.json"]);
    await snapshot.keep();
    await expect(fetchAll({ offline: true })).rejects.toThrow("onnx/model.onnx is not in the cache");
  });

  it("refuses a file beyond the limit before fetching it", async () => {
    await expect(fetchAll({ maxBytes: 1000 })).rejects.toThrow("has 300000 bytes, more than the 1000");
    expect(hub.requests.filter(({ path }) => path.includes("/resolve/"))).toEqual([]);
  });

  it("refuses to write outside its folder", async () => {
    for (const name of ["../../evil", "/evil", "a\\..\\evil", "C:evil"]) {
      toy.files[name] = { content: config, lfs: false };
      const snapshot = await open({ refresh: true });
      await expect(snapshot.fetch([name])).rejects.toThrow("leaves the repository's folder");
    }
  });

  it("stops at once when called off", async () => {
    const controller = new AbortController();
    hub.slow(20);
    const fetching = fetchAll({
      signal: controller.signal,
      onProgress: (_, done) => done > 0 && controller.abort(),
    });
    await expect(fetching).rejects.toThrow("aborted");
  });
});

describe("several at once", () => {
  it("fetch a file once between them", async () => {
    hub.slow(2);
    await Promise.all([fetchAll(), fetchAll(), fetchAll()]);
    expect(hub.requests.filter(({ host }) => host === "store")).toHaveLength(1);
  });

  it("take over the lock of a process that is gone", async () => {
    const lock = join(
      cache,
      ".locks",
      "models--owner--toy",
      `${hashOf(toy.files["onnx/model.onnx"]!)}.graft.lock`,
    );
    const { pid } = spawn(process.execPath, ["--version"]);
    await new Promise((done) => setTimeout(done, 300));
    await mkdir(join(lock, ".."), { recursive: true });
    await writeFile(lock, JSON.stringify({ pid, host: (await import("node:os")).hostname() }));
    await fetchAll();
  });
});

describe("references", () => {
  it.each([
    ["hf:a/b", { repo: "a/b", revision: "main", file: null }],
    ["hf:gpt2@v1.0", { repo: "gpt2", revision: "v1.0", file: null }],
    ["hf:a/b@refs/pr/2:onnx/m.onnx", { repo: "a/b", revision: "refs/pr/2", file: "onnx/m.onnx" }],
  ])("reads %s", (spec, reference) => expect(parseHubReference(spec)).toEqual(reference));

  it.each([
    "hf:",
    "hf:a/b/c",
    "hf:../b",
    "hf:a--b/c",
    "hf:a/.b",
    "hf:a/b@../../x",
    "hf:a/b@x y",
    "hf:a/b:../c",
  ])("refuses %s", (spec) => expect(() => parseHubReference(spec)).toThrow(InputError));
});

describe("settings", () => {
  it.each([
    [{ HF_HUB_CACHE: "/c" }, "/c"],
    [{ HF_HOME: "/h" }, join("/h", "hub")],
    [{ XDG_CACHE_HOME: "/x" }, join("/x", "huggingface", "hub")],
    [{ HF_HOME: "$BASE/h", BASE: "/base" }, join("/base/h", "hub")],
  ])("finds the cache of %j", (environment, folder) =>
    expect(hubSettings({}, environment).cache).toBe(folder),
  );

  it("reads token, endpoint and offline mode", () => {
    const settings = hubSettings({}, { HF_TOKEN: "t", HF_ENDPOINT: "https://mirror/", HF_HUB_OFFLINE: "1" });
    expect(settings).toMatchObject({ token: "t", endpoint: "https://mirror", offline: true });
    expect(() => hubSettings({}, { HF_ENDPOINT: "ftp://x" })).toThrow(InputError);
  });
});

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const built = join(root, "packages/node/dist/hub/index.js");
const program = `
  const { hubSettings, openSnapshot, parseHubReference } = await import(process.argv[1]);
  const snapshot = await openSnapshot(parseHubReference("hf:owner/toy"), hubSettings());
  await snapshot.fetch(["onnx/model.onnx", "config.json"]);
  await snapshot.keep();
`;
const processEnv = () => ({
  PATH: process.env.PATH,
  HF_ENDPOINT: hub.endpoint,
  HF_HUB_CACHE: cache,
  HF_TOKEN: "",
});

describe.skipIf(!existsSync(built))("processes (needs tsc -b)", () => {
  it("killed at any moment leave a cache that the next one completes", async () => {
    hub.slow(3);
    const source = random(2);
    for (let i = 0; i < 6; i++) {
      const child = spawn(process.execPath, ["--input-type=module", "-e", program, built], {
        env: processEnv(),
      });
      const ended = new Promise((done) => child.on("exit", done));
      await new Promise((done) => setTimeout(done, 60 + source.integer(120)));
      child.kill("SIGKILL");
      await ended;
    }
    await fetchAll();
    expect((await layout()).filter((line) => !line.startsWith(".locks"))).toEqual(expectedLayout().sort());
  });

  it("started together do not disturb each other", async () => {
    hub.slow(1);
    const run = () =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", program, built], {
        env: processEnv(),
      });
    await Promise.all([run(), run()]);
    await fetchAll({ offline: true });
    expect(hub.requests.filter(({ host }) => host === "store")).toHaveLength(1);
  });
});

const python = join(root, ".venv/bin/python");
const hasPython = existsSync(join(root, ".venv/bin/hf"));
if (!hasPython) console.info("hub: no .venv with huggingface_hub, so the exchange with Python is not tested");

describe.skipIf(!hasPython)("exchange with Python's huggingface_hub", () => {
  const runPython = async (code: string) => {
    const env = { ...processEnv(), HF_HUB_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_XET: "1" };
    return (await promisify(execFile)(python, ["-c", code], { env })).stdout.trim();
  };

  it("reads a cache that Python made, offline", async () => {
    await runPython('from huggingface_hub import snapshot_download; snapshot_download("owner/toy")');
    await fetchAll({ offline: true });
    expect((await layout()).filter((line) => !/^\.locks|CACHEDIR/.test(line))).toEqual(
      expectedLayout().sort(),
    );
  });

  it("reads single files that Python fetched", async () => {
    await runPython(
      'from huggingface_hub import hf_hub_download as f; f("owner/toy", "config.json"); f("owner/toy", "onnx/model.onnx")',
    );
    await fetchAll({ offline: true });
  });

  it("makes a cache that Python reads, offline", async () => {
    await fetchAll();
    const folder = await runPython(
      'from huggingface_hub import snapshot_download; print(snapshot_download("owner/toy", local_files_only=True))',
    );
    expect(folder).toBe(join(storage(), "snapshots", COMMIT));
    const damage = await runPython(
      "from huggingface_hub import scan_cache_dir; r = scan_cache_dir(); print(len(r.repos), len(r.warnings))",
    );
    expect(damage).toBe("1 0");
  });
});
