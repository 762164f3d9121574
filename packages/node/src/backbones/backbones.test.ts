import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  build,
  type DataType,
  emptyGraph,
  float32,
  InputError,
  type Model,
  type Shape,
  writeExternal,
  writeModel,
} from "@graft-ml/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startHub } from "../../../../test/hub-server.ts";
import { resolveBackbone } from "./index.ts";

const COMMIT = "a".repeat(40);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-backbone-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A network that adds a weight to its input. */
function network(name: string, dtype: DataType, shape: Shape): Model {
  const builder = build(emptyGraph());
  const input = builder.input(name, dtype, shape);
  const weight = builder.constant(float32([512], Array(512).fill(0.5)), "weight");
  const number = dtype === "float32" ? input : builder.apply("Cast", [input], { to: 1 });
  builder.graph.outputs.push(builder.apply("Add", [number, weight]));
  return {
    graph: builder.graph,
    opsets: new Map([["", 17]]),
    irVersion: 9,
    producer: { name: "", version: "" },
    domain: "",
    modelVersion: 0n,
    doc: "",
    metadata: new Map(),
  };
}
const image = (shape: Shape = ["batch", 3, 96, 96]) => writeModel(network("pixel_values", "float32", shape));
const text = () => writeModel(network("input_ids", "int64", ["batch", "sequence"]));

/** Writes files into the folder: JSON where a value is an object. */
async function put(files: Record<string, Uint8Array | object | string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(join(path, ".."), { recursive: true });
    const isPlain = typeof content === "string" || content instanceof Uint8Array;
    await writeFile(path, isPlain ? content : JSON.stringify(content));
  }
}

const refusal = async (spec: string, options = {}) => {
  const error = await resolveBackbone(spec, options).then(
    () => null,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  return error.message as string;
};

const pixels = { do_resize: true, size: { height: 96, width: 96 }, do_rescale: true, do_normalize: false };
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

describe("a folder in the hub's layout", () => {
  it("gives the network, its preprocessing and what its files state", async () => {
    await put({ "model.onnx": image(), "config.json": { a: 1 }, "preprocessor_config.json": pixels });
    await put({ "README.md": "---\nlicense: mit\ntags:\n- x\n---\n# Toy" });
    const backbone = await resolveBackbone(folder, { modality: "image" });
    expect(backbone).toMatchObject({
      spec: folder,
      modality: "image",
      imageInput: { name: "pixel_values", layout: "NCHW", channels: 3, height: 96, width: 96 },
      config: { a: 1 },
      preprocessorConfig: pixels,
      tokenizer: null,
      layer: null,
      path: join(folder, "model.onnx"),
      sha256: sha256(image()),
      licence: { id: "mit", file: "README.md" },
      notes: [],
    });
  });

  it("prefers onnx/model.onnx, and takes the file that is named", async () => {
    await put({ "onnx/model.onnx": image(), "onnx/model_quantized.onnx": image(["n", 1, 96, 96]) });
    await put({ "config.json": {}, "preprocessor_config.json": pixels });
    expect((await resolveBackbone(folder)).path).toBe(join(folder, "onnx", "model.onnx"));
    const named = await resolveBackbone(join(folder, "onnx", "model_quantized.onnx"));
    expect(named).toMatchObject({
      name: "model_quantized",
      imageInput: { channels: 1 },
      preprocessorConfig: pixels,
    });
  });

  it("opens a repository's folder of the hub's cache at its branch", async () => {
    const snapshot = `models--a--b/snapshots/${COMMIT}`;
    await put({ [`${snapshot}/preprocessor_config.json`]: pixels, "models--a--b/blobs/1": image() });
    await symlink("../../blobs/1", join(folder, snapshot, "model.onnx"));
    await put({ "models--a--b/refs/main": COMMIT, [`models--a--b/snapshots/${"b".repeat(40)}/x`]: "" });
    const backbone = await resolveBackbone(join(folder, "models--a--b"));
    expect(backbone).toMatchObject({ modality: "image", sha256: sha256(image()) });
  });

  it("reads tensors from the files beside the model", async () => {
    const { model, data } = writeExternal(
      network("pixel_values", "float32", ["n", 3, 8, 8]),
      "model.onnx_data",
    );
    const weights = Buffer.concat(data);
    await put({ "onnx/model.onnx": model, "onnx/model.onnx_data": weights });
    const backbone = await resolveBackbone(folder, { assume: "unit" });
    expect(Buffer.from(backbone.externalData["model.onnx_data"]!).equals(weights)).toBe(true);
    expect(backbone.sha256).toBe(
      sha256(`${sha256(model)}  model.onnx\n${sha256(weights)}  model.onnx_data\n`),
    );
    await rm(join(folder, "onnx/model.onnx_data"));
    expect(await refusal(folder)).toContain("model.onnx_data is missing; the model needs it");
  });

  it("refuses external data that a link leads out of the folder, and reads the hub's links", async () => {
    const { model, data } = writeExternal(network("pixel_values", "float32", ["n", 3, 8, 8]), "weights.bin");
    const weights = Buffer.concat(data);
    await put({ "private/key": weights, "own/model.onnx": model, "far/model.onnx": model });
    await symlink("../private/key", join(folder, "own/weights.bin"));
    const message = await refusal(join(folder, "own"), { assume: "unit" });
    expect(message).toContain(`"weights.bin" is a link to`);
    expect(message).toContain("outside the model's folder");
    await symlink("../private", join(folder, "far/onnx")); // a folder that is a link itself
    await rm(join(folder, "far/model.onnx"));
    await put({ "private/model.onnx": model, "private/weights.bin": weights });
    expect((await resolveBackbone(join(folder, "far"), { assume: "unit" })).modality).toBe("image");

    await put({ "hub/blobs/1": model, "hub/blobs/2": weights, "hub/snapshots/c/x": "" });
    await symlink("../../blobs/1", join(folder, "hub/snapshots/c/model.onnx"));
    await symlink("../../blobs/2", join(folder, "hub/snapshots/c/weights.bin"));
    const { externalData } = await resolveBackbone(join(folder, "hub/snapshots/c"), { assume: "unit" });
    expect(Buffer.from(externalData["weights.bin"]!).equals(weights)).toBe(true);
  });

  it("gives texts their tokenizer", async () => {
    await put({ "model.onnx": text(), "tokenizer.json": { model: {} }, "tokenizer_config.json": { b: 2 } });
    expect(await resolveBackbone(folder)).toMatchObject({
      modality: "text",
      tokenizer: { json: { model: {} }, config: { b: 2 } },
      preprocessorConfig: null,
    });
    await rm(join(folder, "tokenizer.json"));
    expect(await refusal(folder)).toContain("has no tokenizer.json");
  });
});

describe("what a file alone cannot tell", () => {
  it("is asked for, with an example to write", async () => {
    await put({ "net.onnx": image() });
    const message = await refusal(join(folder, "net.onnx"));
    expect(message).toContain("has no preprocessor_config.json");
    expect(message).toContain("takes [N, 3, 96, 96], not how pixels are scaled");
    const example = JSON.parse(/for example (\{.*\}), or pass/.exec(message)![1]!);
    await put({ "preprocessor_config.json": example });
    expect((await resolveBackbone(join(folder, "net.onnx"))).preprocessorConfig).toEqual(example);
  });

  it.each([
    [
      "imagenet",
      {
        size: { shortest_edge: 110 },
        crop_size: { height: 96, width: 96 },
        image_std: [0.229, 0.224, 0.225],
      },
    ],
    ["symmetric", { size: { height: 96, width: 96 }, image_mean: [0.5, 0.5, 0.5] }],
    ["unit", { size: { height: 96, width: 96 }, do_rescale: true, do_normalize: false }],
    ["bytes", { do_rescale: false, do_normalize: false }],
  ] as const)("is assumed where the user says so, and noted: %s", async (assume, expected) => {
    await put({ "model.onnx": image(), LICENSE: "MIT" });
    const backbone = await resolveBackbone(folder, { assume });
    expect(backbone.preprocessorConfig).toMatchObject(expected);
    expect(backbone.notes[0]).toContain("preprocessing is assumed, not stated");
  });

  it("is taken from what timm states in config.json", async () => {
    const cfg = {
      input_size: [3, 96, 96],
      mean: [0.4, 0.4, 0.4],
      std: [0.2, 0.2, 0.2],
      interpolation: "bicubic",
      crop_pct: 0.875,
    };
    await put({ "model.onnx": image(), "config.json": { pretrained_cfg: cfg } });
    expect((await resolveBackbone(folder)).preprocessorConfig).toMatchObject({
      size: { shortest_edge: 109 },
      resample: 3,
      crop_size: { height: 96, width: 96 },
      image_mean: [0.4, 0.4, 0.4],
    });
  });

  it("says which size was assumed where the network leaves it open", async () => {
    await put({ "model.onnx": image(["n", 3, "h", "w"]) });
    const { preprocessorConfig, notes } = await resolveBackbone(folder, { assume: "unit" });
    expect(preprocessorConfig).toMatchObject({ size: { height: 224, width: 224 } });
    expect(notes[0]).toContain("224×224 because the network leaves the size open");
    await put({ "config.json": { image_size: 64 } });
    const stated = await resolveBackbone(folder, { assume: "unit" });
    expect(stated.preprocessorConfig).toMatchObject({ size: { height: 64, width: 64 } });
  });

  it("sees channels last", async () => {
    await put({
      "model.onnx": image([1, 96, 64, 3]),
      "preprocessor_config.json": { size: { height: 96, width: 64 } },
    });
    expect((await resolveBackbone(folder)).imageInput).toMatchObject({
      layout: "NHWC",
      channels: 3,
      height: 96,
      width: 64,
    });
  });

  it("does not hide that a network takes neither images nor texts", async () => {
    await put({ "model.onnx": writeModel(network("x", "float32", ["n", 512])) });
    expect((await resolveBackbone(folder)).modality).toBeNull();
    expect(await refusal(folder, { modality: "image" })).toContain("takes neither images nor texts alone");
  });
});

describe("what does not fit together", () => {
  it.each<[string, Record<string, Uint8Array | object | string>, string, object?]>([
    ["an empty folder", { "config.json": {} }, "has no .onnx file"],
    ["weights only", { "pytorch_model.bin": "x" }, "only pytorch_model.bin, which Graft does not read"],
    ["several models", { "a.onnx": image(), "b.onnx": image() }, "several models (a.onnx, b.onnx)"],
    ["reduced models only", { "onnx/model_fp16.onnx": image() }, "only models of reduced precision"],
    ["a damaged model", { "model.onnx": image().subarray(0, 900) }, "model.onnx"],
    ["damaged JSON", { "model.onnx": image(), "config.json": "{" }, "config.json is not JSON"],
    ["JSON of another kind", { "model.onnx": image(), "config.json": "[1]" }, "must hold a JSON object"],
    [
      "other data",
      { "model.onnx": text(), "tokenizer.json": {} },
      "takes texts (input_ids int64",
      { modality: "image" },
    ],
    [
      "another size",
      { "model.onnx": image(), "preprocessor_config.json": { size: { height: 64, width: 64 } } },
      "makes images of 64×64, but the network takes [N, 3, 96, 96]",
    ],
    [
      "grey as colour",
      { "model.onnx": image(["n", 1, 28, 28]) },
      "takes grey images",
      { assume: "imagenet" },
    ],
  ])("is refused: %s", async (_, files, message, options = {}) => {
    await put(files);
    expect(await refusal(folder, options)).toContain(message);
  });

  it.each([
    ["pytorch_model.bin", "may be a pickle, which runs code when loaded"],
    ["model.safetensors", "holds weights without the network"],
    ["model.tflite", "TensorFlow Lite"],
    ["notes.txt", "is not an .onnx file"],
  ])("is refused before it is read: %s", async (name, message) => {
    await put({ [name]: "x" });
    expect(await refusal(join(folder, name))).toContain(message);
  });

  it.each([
    ["builtin:small", "builtin:small is not in this package, which has"],
    ["vectors:glove.txt", "not available in this version"],
    ["owner/name", "for a repository of the hub write hf:owner/name"],
    ["", "the backbone is empty"],
  ])("is refused by its name: %j", async (spec, message) => expect(await refusal(spec)).toContain(message));
});

describe("run: and none", () => {
  const run = { task: "image-classification", backbone: "x", head: "ridge", method: "probe" };
  it("takes the layer that the run took", async () => {
    await put({
      "model.onnx": image(),
      "preprocessor_config.json": pixels,
      "config.json": { ...run, layer: "pool" },
    });
    expect(await resolveBackbone(`run:${folder}`)).toMatchObject({ layer: "pool", modality: "image" });
  });

  it.each<[object, string]>([
    [{ ...run, layer: null, backbone: "none" }, 'with the backbone "none" and has no layer'],
    [{ model_type: "vit" }, "is not a run's; for a network from elsewhere pass the folder itself"],
  ])("refuses %j", async (config, message) => {
    await put({ "model.onnx": image(), "config.json": config });
    expect(await refusal(`run:${folder}`)).toContain(message);
  });

  it("refuses a folder that is no run", async () => {
    expect(await refusal(`run:${folder}`)).toContain("has no config.json");
  });

  it("none is no network", async () => {
    expect(await resolveBackbone("none", { modality: "text" })).toMatchObject({
      model: null,
      modality: "text",
    });
  });
});

describe("licences", () => {
  it.each([
    ["---\nlicense: cc-by-nc-4.0\n---", "cc-by-nc-4.0, does not allow commercial use"],
    [
      "---\nlicense: other\nlicense_name: toy\nlicense_link: https://x\n---",
      "(other, toy, https://x) has conditions",
    ],
    ["# no head", "states no licence"],
  ])("are noted where they limit: %j", async (readme, note) => {
    await put({ "model.onnx": image(), "preprocessor_config.json": pixels, "README.md": readme });
    expect((await resolveBackbone(folder)).notes[0]).toContain(note);
  });
});

describe("hf:", () => {
  it("fetches what is needed and nothing else, then works offline", async () => {
    const { model, data } = writeExternal(
      network("pixel_values", "float32", ["n", 3, 96, 96]),
      "model.onnx_data",
    );
    const file = (content: Uint8Array | string, lfs = false) => ({ content: Buffer.from(content), lfs });
    const hub = await startHub({
      "owner/toy": {
        commit: COMMIT,
        refs: { main: COMMIT },
        files: {
          "onnx/model.onnx": file(model, true),
          "onnx/model.onnx_data": file(Buffer.concat(data), true),
          "onnx/model_quantized.onnx": file(model, true),
          "pytorch_model.bin": file("pickle", true),
          "config.json": file("{}"),
          "preprocessor_config.json": file(JSON.stringify(pixels)),
          "README.md": file("---\nlicense: apache-2.0\n---"),
        },
      },
    });
    const progress: number[] = [];
    const options = {
      cacheDir: folder,
      onProgress: (_: string, done: number) => progress.push(done),
      hub: { endpoint: hub.endpoint, pauseMs: 1 },
    };
    const online = await resolveBackbone("hf:owner/toy", options);
    await hub.close();
    expect(online).toMatchObject({ name: "owner/toy", commit: COMMIT, modality: "image", notes: [] });
    expect(progress.length).toBeGreaterThan(0);
    const fetched = hub.requests.map(({ path }) => path).filter((path) => path.includes("/resolve/"));
    expect(fetched.map((path) => path.split(`${COMMIT}/`)[1]).toSorted()).toEqual([
      "README.md",
      "config.json",
      "onnx/model.onnx",
      "onnx/model.onnx_data",
      "preprocessor_config.json",
    ]);
    expect(await resolveBackbone("hf:owner/toy", { cacheDir: folder, offline: true })).toEqual(online);
  });
});

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const models = join(process.env.GRAFT_DATA ?? join(root, "../shared/data"), "models");
if (!existsSync(models)) console.info(`backbones: ${models} is absent, so real networks are not tested`);

describe.skipIf(!existsSync(models))("real networks", () => {
  it.each([
    ["doodlenet_28", 1, 28],
    ["mobilenet_v1_0.25_128", 3, 128],
    ["mobilenet_v1_0.5_160", 3, 160],
    ["mobilenet_v1_0.75_224", 3, 224],
    ["mobilenet_v2_1.0_224", 3, 224],
  ])("%s", async (name, channels, size) => {
    const backbone = await resolveBackbone(join(models, name), { modality: "image" });
    expect(backbone).toMatchObject({
      name,
      modality: "image",
      imageInput: { layout: "NCHW", channels, height: size, width: size },
      preprocessorConfig: { size: { height: size, width: size } },
      licence: { id: null, file: "SOURCE.txt" },
      sha256: sha256(readFileSync(join(models, name, "model.onnx"))),
    });
    expect(backbone.notes).toEqual([expect.stringContaining("SOURCE.txt says: ")]);
  });
});
