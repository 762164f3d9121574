import { availableParallelism } from "node:os";
import {
  type EmbedSettings,
  embedOptions,
  PHRASE_MARK,
  TOKEN_KINDS,
  type TokenKind,
  VECTOR_STORAGES,
  type VectorStorage,
} from "@graft-ml/core";
import { type EmbedOptions, readVectorsFile, embed as train } from "../words/index.ts";
import { command, UsageError } from "./command.ts";
import { percent } from "./words.ts";

export const embed = command({
  about:
    "Trains word vectors on CORPUS: text files, CSV, TSV, JSONL or Parquet, folders of them, gzipped or not.",
  operands: ["CORPUS…"],
  options: {
    output: {
      type: "string",
      default: null,
      about: "the file to write (required): .txt, .vec, .bin, .glove or .npz",
    },
    ...embedOptions,
    tokens: {
      type: "choice",
      default: "words",
      of: TOKEN_KINDS,
      about: "what Chinese, Japanese and Thai are split into",
    },
    storage: {
      type: "choice",
      default: "float32",
      of: VECTOR_STORAGES,
      about: "how numbers are kept in .npz",
    },
    text: { type: "string", default: null, about: "column of the texts in tables, by name or number from 1" },
    lines: {
      type: "choice",
      default: "auto",
      of: ["auto", "each", "wrapped", "file"],
      about:
        "what of a text file is one text: each line, paragraphs, or all of it; auto joins lines broken to a width",
    },
    encoding: { type: "string", default: null, about: "encoding of text files (default utf-8)" },
    threads: {
      type: "number",
      default: 1,
      min: 1,
      max: 256,
      about: "threads; one gives the same bytes again",
    },
    from: {
      type: "string",
      default: null,
      about: "file of vectors to go on from; its words are held where they are",
    },
    anchor: {
      type: "number",
      default: null,
      min: 0,
      about:
        "with --from: how strongly old words are held, 0 not at all (default: by the loss of held-out text)",
    },
    checkpoint: { type: "number", default: 60, min: 1, about: "seconds between checkpoints" },
  },
  example: "graft embed novels.txt.gz reviews.jsonl --output vectors.bin --threads 2",
  async run({ operands, settings, terminal, signal }) {
    const { output, storage, tokens, text, lines, encoding, threads, checkpoint, seed } = settings;
    if (output === null) throw new UsageError("graft embed: --output is missing; name the file to write");
    const { from, anchor } = settings;
    if (anchor !== null && from === null)
      throw new UsageError("graft embed: --anchor is of --from, which is missing");
    if (threads > availableParallelism())
      terminal.warn(`${threads} threads on ${availableParallelism()} processors`);
    const chosen = Object.fromEntries(
      Object.keys(embedOptions).map((name) => [name, settings[name as keyof typeof embedOptions]]),
    ) as EmbedSettings;
    const given = from === null ? null : (await readVectorsFile(from, { signal })).vectors;
    const { vectors, corpus, seconds, wordsPerSecond, resumed, continued } = await train({
      corpus: operands,
      output,
      settings: chosen,
      storage: storage as VectorStorage,
      tokens: tokens as TokenKind,
      text,
      lines: lines as NonNullable<EmbedOptions["lines"]>,
      encoding,
      threads,
      seed,
      from: given,
      anchor,
      checkpointSeconds: checkpoint,
      onNote: (note) => terminal.print(`note: ${note}`),
      onProgress: (task, done, total) => terminal.progress(`${task}, words`, done, total),
      signal,
    });
    if (resumed > 0)
      terminal.print(`went on from ${percent(resumed)} of the training, where a run was stopped`);
    const { words, dimension } = vectors;
    terminal.print(
      `${words.length} words × ${dimension} in ${output}, from ${corpus.tokens} words of text (${corpus.distinct} different; ${percent(corpus.kept / corpus.tokens)} have a vector)`,
    );
    const joined = words.filter((word) => word.includes(PHRASE_MARK));
    if (chosen.phrases > 0)
      terminal.print(
        `${joined.length} of them are phrases${joined.length === 0 ? "" : `: ${joined.slice(0, 8).join(", ")} …`}`,
      );
    terminal.print(
      `trained in ${seconds.toFixed(1)} s on ${threads} thread${threads === 1 ? "" : "s"}: ${Math.round(wordsPerSecond)} words/s`,
    );
    if (continued !== null) {
      const { old, added, untouched, anchor: held, moved } = continued;
      terminal.print(
        `${old} words were there, ${added} are new, ${untouched} of the old ones are not in the corpus and stay; held with ${held}`,
      );
      for (const { word, cosine, example } of moved.slice(0, 10))
        terminal.print(`  ${word.padEnd(16)} moved to cosine ${cosine.toFixed(2)}: ${example ?? ""}`);
    }
    return {
      output,
      words: words.length,
      phrases: joined.length,
      dimension,
      corpus,
      settings: { ...chosen, threads, seed },
      seconds,
      wordsPerSecond,
      resumed,
      continued,
    };
  },
});
