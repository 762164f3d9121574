import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import {
  ANALOGY_METHODS,
  type AnalogyMethod,
  type AnalogyScore,
  analogyScores,
  analogyWords,
  InputError,
  type Neighbour,
  nearestOfMany,
  readAnalogies,
  readWordPairs,
  similarityScore,
  VECTOR_STORAGES,
  type VectorStorage,
  type WordVectors,
  wordIndex,
} from "@graft-ml/core";
import { writeWhole } from "../runs/folder.ts";
import {
  mapFile,
  readRelations,
  readVectorsFile,
  renderWordMap,
  wordMap,
  writeVectorsFile,
} from "../words/index.ts";
import { type Call, command, UsageError } from "./command.ts";
import { warnLeftOut } from "./left-out.ts";
import type { Terminal } from "./terminal.ts";
import { percent } from "./words.ts";

const options = {
  similarity: {
    type: "string",
    default: null,
    about: "eval: files of two words and a number a line, commas between",
  },
  analogies: {
    type: "string",
    default: null,
    about: "eval: file of four words a line under headings : name",
  },
  method: {
    type: "choice",
    default: "add",
    of: ANALOGY_METHODS,
    about: "analogies by a sum of cosines (3CosAdd) or a product (3CosMul)",
  },
  vocabulary: {
    type: "number",
    default: 30_000,
    min: 1,
    about: "eval: analogies among this many words, the first of the file",
  },
  count: {
    type: "number",
    default: null,
    min: 0,
    max: 10_000,
    about:
      "words listed (default 10); map: commonest words around the named ones (default 150, with WORD… 0)",
  },
  relations: {
    type: "string",
    default: null,
    about:
      "map: pairs with arrows, king:queen,man:woman, a semicolon before another relation (default: well-known ones)",
  },
  limit: { type: "number", default: null, min: 1, about: "words read, from the beginning of the file" },
  output: {
    type: "string",
    default: null,
    about:
      "convert: the file to write, its form by its ending: .txt, .vec, .bin, .glove or .npz; map: the page, .html",
  },
  storage: {
    type: "choice",
    default: "float32",
    of: VECTOR_STORAGES,
    about: "convert: how numbers are kept in .npz",
  },
  onError: {
    type: "choice",
    default: "fail",
    of: ["fail", "skip"],
    about: "at a bad row of the file: stop, or leave it out",
  },
} as const;

type VectorsCall = Call<typeof options>;

/** Words listed where nobody says. */
const LISTED = 10;

/** What can be done with vectors, by its name on the command line. */
const verbs: Readonly<
  Record<string, (vectors: WordVectors, words: readonly string[], call: VectorsCall) => Promise<object>>
> = {
  eval: evaluate,
  nearest,
  analogy,
  map,
  convert,
};

export const vectors = command({
  about:
    "Looks into word vectors: eval scores them, nearest WORD… lists neighbours, analogy A B C answers a is to b as c is to ?, map [WORD…] draws a page and pictures, convert writes another form.",
  operands: ["VERB", "FILE", "WORD…?"],
  options,
  example: "graft vectors analogy vectors.bin man king woman",
  async run(call) {
    const { operands, settings, terminal, signal } = call as VectorsCall;
    const [verb, file, ...words] = operands as [string, string, ...string[]];
    if (!Object.hasOwn(verbs, verb))
      throw new UsageError(
        `graft vectors: there is no verb ${JSON.stringify(verb)}; there are ${Object.keys(verbs).join(", ")}`,
      );
    const read = await readVectorsFile(file, {
      ...(settings.limit === null ? {} : { limit: settings.limit }),
      onError: settings.onError,
      onProgress: (done, total) => terminal.progress("read", done, total),
      signal,
    });
    warnLeftOut(terminal, read.skipped);
    const { dimension, words: known } = read.vectors;
    terminal.print(`${known.length} words × ${dimension}`);
    const result = await verbs[verb]!(read.vectors, words, call as VectorsCall);
    return { words: known.length, dimension, skipped: read.skippedCount, ...result };
  },
});

async function evaluate(all: WordVectors, words: readonly string[], { settings, terminal }: VectorsCall) {
  const { similarity, analogies, method, vocabulary } = settings;
  if (words.length > 0)
    throw new UsageError("graft vectors eval: takes no words; name files by --similarity or --analogies");
  if (similarity === null && analogies === null)
    throw new UsageError("graft vectors eval: --similarity or --analogies is missing");
  const similarities = [];
  for (const path of similarity?.split(",") ?? []) {
    const score = similarityScore(all, readWordPairs(await text(path.trim()), path));
    const { spearman, covered, pairs } = score;
    terminal.print(
      `${basename(path)}: Spearman ${spearman === null ? "–" : spearman.toFixed(3)} over ${covered} of ${pairs} pairs; ${pairs - covered} have a word without vector`,
    );
    similarities.push({ file: path, ...score, outOfVocabulary: pairs - covered });
  }
  if (analogies === null) return { similarity: similarities };
  const sections = readAnalogies(await text(analogies), analogies);
  const scores = analogyScores(wordIndex(all, vocabulary), sections, {
    method: method as AnalogyMethod,
    onProgress: (done, total) => terminal.progress("analogies", done, total),
  });
  const grammar = scores.filter(({ name }) => /^gram/.test(name));
  const groups = {
    total: summed("total", scores),
    ...(grammar.length === 0 || grammar.length === scores.length
      ? {}
      : {
          semantic: summed(
            "semantic",
            scores.filter(({ name }) => !/^gram/.test(name)),
          ),
          syntactic: summed("syntactic", grammar),
        }),
  };
  for (const score of [...scores, ...Object.values(groups)]) terminal.print(analogyLine(score));
  return {
    ...(similarity === null ? {} : { similarity: similarities }),
    analogies: { file: analogies, method, vocabulary, sections: scores.map(withAccuracy), ...mapped(groups) },
  };
}

function summed(name: string, scores: readonly AnalogyScore[]): AnalogyScore {
  const sum = (key: "questions" | "covered" | "right") =>
    scores.reduce((total, score) => total + score[key], 0);
  return { name, questions: sum("questions"), covered: sum("covered"), right: sum("right") };
}

function mapped(groups: Readonly<Record<string, AnalogyScore>>): Record<string, object> {
  return Object.fromEntries(Object.entries(groups).map(([name, score]) => [name, withAccuracy(score)]));
}

function withAccuracy(score: AnalogyScore): AnalogyScore & { readonly accuracy: number | null } {
  return { ...score, accuracy: score.covered === 0 ? null : score.right / score.covered };
}

function analogyLine({ name, right, covered, questions }: AnalogyScore): string {
  const share = covered === 0 ? "–" : percent(right / covered);
  return `${name.padEnd(28)} ${share.padStart(8)}  ${right} of ${covered} asked, of ${questions}`;
}

async function nearest(vectors: WordVectors, words: readonly string[], { settings, terminal }: VectorsCall) {
  if (words.length === 0) throw new UsageError("graft vectors nearest: WORD is missing");
  const all = nearestOfMany(wordIndex(vectors), words, settings.count ?? LISTED);
  const found = words.map((word, i) => ({ word, neighbours: all[i]! }));
  for (const { word, neighbours } of found) printWords(word, neighbours, terminal);
  return { nearest: found };
}

async function analogy(all: WordVectors, words: readonly string[], { settings, terminal }: VectorsCall) {
  if (words.length !== 3)
    throw new UsageError(
      `graft vectors analogy: three words were expected (a is to b as c is to ?), got ${words.length}`,
    );
  const [a, b, c] = words as [string, string, string];
  const count = settings.count ?? LISTED;
  const method = settings.method as AnalogyMethod;
  const answers = analogyWords(wordIndex(all), [a, b, c], { count, method });
  printWords(`${a} is to ${b} as ${c} is to`, answers, terminal);
  return { analogy: { a, b, c, method, answers } };
}

async function map(
  all: WordVectors,
  words: readonly string[],
  { operands, settings, terminal }: VectorsCall,
) {
  const { output, relations, count, seed } = settings;
  if (output === null || !/\.html?$/i.test(output))
    throw new UsageError(
      `graft vectors map: --output names the page to write, as in map.html${output === null ? "" : `; got ${output}`}`,
    );
  const drawn = wordMap(all, {
    words,
    relations: relations === null ? null : readRelations(relations),
    count,
    seed,
  });
  const bare = output.replace(/\.html?$/i, "");
  const files = { page: output, pca: `${bare}-pca.svg`, umap: `${bare}-umap.svg` };
  const title = basename((operands as readonly string[])[1]!);
  const about = `${all.words.length} words × ${all.dimension}`;
  await mkdir(dirname(output), { recursive: true });
  await writeWhole(files.page, renderWordMap(drawn, { title, about }));
  await writeWhole(files.pca, mapFile(drawn.pca));
  await writeWhole(files.umap, mapFile(drawn.umap));
  if (drawn.missing.length > 0) terminal.warn(`no vector for ${drawn.missing.join(", ")}`);
  terminal.print(`${drawn.umap.words.length} words drawn: ${Object.values(files).join(", ")}`);
  return { files, ...drawn };
}

async function convert(all: WordVectors, words: readonly string[], { settings, terminal }: VectorsCall) {
  const { output } = settings;
  if (words.length > 0) throw new UsageError("graft vectors convert: takes one FILE and --output");
  if (output === null)
    throw new UsageError("graft vectors convert: --output is missing; name the file to write");
  await writeVectorsFile(output, all, settings.storage as VectorStorage);
  terminal.print(`written to ${output}`);
  return { output };
}

function printWords(title: string, found: readonly Neighbour[], terminal: Terminal): void {
  terminal.print(title);
  for (const { word, score } of found) terminal.print(`  ${score.toFixed(3)}  ${word}`);
}

async function text(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new InputError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code}); check the path`);
  }
}
