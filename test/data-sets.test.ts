import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { checkDataset, readDataset } from "graft-ml";
import { describe, expect, it } from "vitest";

const shared = fileURLToPath(new URL("../../shared/data", import.meta.url));
const missing = existsSync(shared) ? false : `no ${shared}`;
if (missing) console.warn(`reading public data sets is not tested: ${missing}`);

/** Rows of each part, and how many classes. */
async function parts(path: string) {
  const { rows, classes, skipped } = await readDataset(`${shared}/${path}`);
  const of = (split: string | null) => rows.filter((row) => row.split === split).length;
  expect(skipped).toEqual([]);
  return [of("train"), of("val"), of("test"), of(null), classes.length];
}

describe.skipIf(missing)("public data sets, as they are, without a flag", () => {
  it.each([
    ["mnist", [60000, 0, 10000, 0, 10]],
    ["fashion_mnist", [20000, 0, 10000, 0, 10]],
    ["hymenoptera_256", [244, 153, 0, 0, 2]],
    ["pacs_160_subset", [1668, 0, 1112, 0, 7]],
    ["text_trec", [5452, 0, 500, 0, 6]],
    ["text_sst/stsa.binary", [6920, 872, 1821, 0, 2]],
    ["text_sst/stsa.fine", [8544, 1101, 2210, 0, 5]],
    ["text_mr", [0, 0, 0, 10662, 2]],
    ["text_subj", [0, 0, 0, 10000, 2]],
    ["text_emotion", [16000, 2000, 2000, 0, 6]],
    ["text_sms_spam", [0, 0, 0, 5574, 2]],
    ["text_imdb_subset", [5000, 0, 5000, 0, 2]],
    ["text_zh_chnsenticorp_htl_all", [0, 0, 0, 7766, 2]],
  ])("%s: train, val, test, no part, classes: %j", async (path, expected) => {
    expect(await parts(path)).toEqual(expected);
  });

  it("of two sets in one folder the error names one", async () => {
    await expect(readDataset(`${shared}/text_sst`)).rejects.toThrow("name one, as in");
  });
});

describe.skipIf(missing)("what is wrong with public data sets", () => {
  const counts = async (path: string) => {
    const { findings } = await checkDataset(await readDataset(`${shared}/${path}`));
    return Object.fromEntries(findings.map(({ kind, count }) => [kind, count]));
  };

  it("TREC has 11 test questions word for word in its training part, and one under another label", async () => {
    expect(await counts("text_trec")).toMatchObject({
      "test-overlap": 11,
      "label-conflict": 2,
      imbalance: 6,
    });
  });

  it("SST-2 has 2 test sentences in its training part", async () => {
    expect(await counts("text_sst/stsa.binary")).toMatchObject({ "test-overlap": 2 });
  });

  it("hymenoptera has no broken, equal or nearly equal photo, but a very long one and two in grey", async () => {
    expect(await counts("hymenoptera_256")).toEqual({ "odd-aspect": 1, "mixed-modes": 2 });
  });
});
