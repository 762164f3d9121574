import {
  InputError,
  type Random,
  readModel,
  type TaggerSpec,
  type Tensor,
  type TrunkSettings,
  tokenEncoding,
  type WordVectors,
} from "@graft-ml/core";
import type { LearnTaggerOptions } from "./learn-tagger.ts";
import type { Sentence } from "./sentences.ts";

/** A trunk whose weights are the tagger's own. */
export type NetworkTrunk = Extract<TaggerSpec["trunk"], { kind: "network" }>;

/** A trunk for the words of training sentences, with `vectors` beside their own embeddings. */
export function newTrunk(
  train: readonly Sentence[],
  { arch, settings, vectors }: Pick<LearnTaggerOptions, "arch" | "settings" | "vectors">,
): NetworkTrunk {
  const texts = train.map(({ tokens }) => tokens.texts);
  const [letters, tokens] = texts.flat().reduce(([a, b], token) => [a + token.length, b + 1], [0, 0]);
  const hasCharacters = settings.characters === "auto" ? letters / tokens > 2 : settings.characters === "yes";
  const encoding = tokenEncoding(texts, {
    minimum: settings.minimum,
    // Words of a character or two have no affixes beside themselves.
    affixRows: letters / tokens > 2 ? settings.affixRows : 0,
    characters: hasCharacters,
    vectorWords: vectors === null ? [] : vectors.words.slice(0, MOST_VECTORS),
  });
  const widths: TrunkSettings = {
    wordWidth: settings.wordWidth,
    affixWidth: settings.affixWidth,
    characterWidth: 24,
    characterFilters: 48,
    vectorWidth: vectors?.dimension ?? 0,
    encoder: arch,
    encoderSettings: {
      ...(settings.units === null ? {} : { [arch === "bilstm" ? "units" : "width"]: settings.units }),
      ...(settings.layers === null ? {} : { layers: settings.layers }),
    },
  };
  return { kind: "network", encoding, settings: widths };
}

/** Vectors that travel with a tagger at most: the commonest words first. */
const MOST_VECTORS = 60_000;

/** Vectors [words + 1, width] as large as embeddings are on average, row 0 for words without one. */
export function vectorTable(vectors: WordVectors | null): Tensor | null {
  if (vectors === null) return null;
  const { dimension } = vectors;
  const count = Math.min(MOST_VECTORS, vectors.words.length);
  const data = new Float32Array((count + 1) * dimension);
  let square = 0;
  for (let i = 0; i < count * dimension; i++) square += vectors.vectors[i]! ** 2;
  const scale = VECTOR_SIZE / Math.sqrt(Math.max(1e-12, square / (count * dimension)));
  for (let i = 0; i < count * dimension; i++) data[dimension + i] = vectors.vectors[i]! * scale;
  return { dtype: "float32", shape: [count + 1, dimension], data };
}

/** Root of the mean square of a vector's numbers. */
const VECTOR_SIZE = 0.3;

/** A source's trunk. Throws an InputError where it has none. */
export function sourceTrunk({ trunk }: TaggerSpec): NetworkTrunk {
  if (trunk.kind !== "network")
    throw new InputError(
      "the source is a linear tagger, which has no encoder to take; train one with --arch bilstm",
    );
  return trunk;
}

/** Tokens that a word new to the source must occur to have a row of its own. */
const NEW_WORDS = 2;

/**
 * The source's trunk and weights with rows, freshly drawn, for words of the training sentences that it has
 * none for.
 */
export function widened(
  source: { readonly spec: TaggerSpec; readonly model: Uint8Array },
  train: readonly Sentence[],
  random: Random,
): { readonly trunk: NetworkTrunk; readonly start: ReadonlyMap<string, Tensor> } {
  const trunk = sourceTrunk(source.spec);
  const start = startOf(source.model);
  const table = start.get("tokens.words");
  if (table === undefined) return { trunk, start };
  const { words, counts } = trunk.encoding;
  const own = tokenEncoding(
    train.map(({ tokens }) => tokens.texts),
    { minimum: NEW_WORDS, affixRows: 0, characters: false },
  );
  const known = new Set(words);
  const added = own.words.flatMap((word, i) => (known.has(word) ? [] : [[word, own.counts[i]!] as const]));
  const [rows, width] = table.shape as [number, number];
  const data = new Float32Array((rows + added.length) * width);
  data.set(table.data as Float32Array);
  for (let i = rows * width; i < data.length; i++) data[i] = 0.1 * random.normal();
  const encoding = {
    ...trunk.encoding,
    words: [...words, ...added.map(([word]) => word)],
    counts: [...counts, ...added.map(([, count]) => count)],
  };
  const shape = [rows + added.length, width];
  return {
    trunk: { ...trunk, encoding },
    start: new Map([...start, ["tokens.words", { dtype: "float32", shape, data } satisfies Tensor]]),
  };
}

/** Weights of the source below its head. */
export function startOf(model: Uint8Array): ReadonlyMap<string, Tensor> {
  return new Map([...tensorsOf(model)].filter(([name]) => /^(tokens|encoder)\./.test(name)));
}

/** All weights of a model, by name. */
export function tensorsOf(model: Uint8Array): ReadonlyMap<string, Tensor> {
  return new Map([...readModel(model).graph.initializers].map(([value, tensor]) => [value.name, tensor]));
}
