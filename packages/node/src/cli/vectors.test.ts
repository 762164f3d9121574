import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { main } from "./main.ts";

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-vectors-"));
  file = join(folder, "vectors.txt");
  const words = ["king 1 0 1", "queen 1 1 1", "man 0 0 1", "woman 0 1 1", "because 0.5 0.5 -1"];
  await writeFile(file, `5 3\n${words.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true }));

async function run(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main(["vectors", ...args], {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => 0,
  });
  return { code, ...written };
}

it("map writes a page and a picture each way, and tells the coordinates", async () => {
  const page = join(folder, "map.html");
  const made = await run(
    ...["map", file, "because", "emperor", "--relations", "king:queen,man:woman"],
    ...["--output", page, "--json"],
  );
  expect(made.code).toBe(0);
  expect(made.err).toContain("no vector for emperor");
  const told = JSON.parse(made.out.trim().split("\n").at(-1)!);
  expect(told.files).toEqual({
    page,
    pca: join(folder, "map-pca.svg"),
    umap: join(folder, "map-umap.svg"),
  });
  expect(told.pca.words).toEqual(["because", "king", "queen", "man", "woman"]);
  expect(told.pca.x).toHaveLength(5);
  expect(await readFile(page, "utf8")).toMatch(/^<!doctype html>/);
  for (const picture of [told.files.pca, told.files.umap])
    expect(await readFile(picture, "utf8")).toMatch(
      /^<svg class="words" xmlns[\s\S]*>queen<[\s\S]*<\/svg>\n$/,
    );
});

it("map says what is missing: the page's name, or enough words", async () => {
  expect((await run("map", file)).err).toMatch(/--output names the page to write, as in map.html/);
  const few = await run("map", file, "king", "--output", join(folder, "few.html"));
  expect(few).toMatchObject({ code: 1 });
  expect(few.err).toMatch(/three words with vectors, got 1/);
});
