import { InputError } from "./errors.ts";

/**
 * How tags write spans. IOB1 marks a beginning only where a span of the same type ends right before; the
 * others always do.
 */
export type Scheme = "IOB1" | "BIO" | "BIOES" | "BMES" | "BILOU";

/** Letters of a scheme: the first token of a span, inner ones, the last, and the only one. */
interface Letters {
  readonly begin: string;
  readonly inside: string;
  readonly end: string;
  readonly single: string;
}

const letters: Readonly<Record<Scheme, Letters>> = {
  IOB1: { begin: "B", inside: "I", end: "I", single: "I" },
  BIO: { begin: "B", inside: "I", end: "I", single: "B" },
  BIOES: { begin: "B", inside: "I", end: "E", single: "S" },
  BMES: { begin: "B", inside: "M", end: "E", single: "S" },
  BILOU: { begin: "B", inside: "I", end: "L", single: "U" },
};

/** Every scheme by its name. */
export const SCHEMES = Object.keys(letters) as readonly Scheme[];

/** The tag of a token that belongs to no span. */
export const OUTSIDE = "O";

/** Tokens `start` to `end` − 1 of a sentence, of one type. */
export interface Span {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** What a tag says: the part of a span in BIOES letters, or "O". */
interface Piece {
  readonly part: "B" | "I" | "E" | "S" | "O";
  readonly type: string;
}

const parts: Readonly<Record<string, Piece["part"]>> = {
  B: "B",
  I: "I",
  M: "I",
  E: "E",
  L: "E",
  S: "S",
  U: "S",
};
const written = /^([BIMELSU])[-_](.+)$/s;

function pieceOf(tag: string): Piece {
  const match = written.exec(tag);
  return match === null ? { part: "O", type: "" } : { part: parts[match[1]!]!, type: match[2]! };
}

/**
 * The spans of tags in any scheme, read as conlleval does (Tjong Kim Sang and Buchholz 2000,
 * https://www.clips.uantwerpen.be/conll2000/chunking/conlleval.txt) and seqeval after it. Its repair of
 * invalid sequences: an inner or last token that continues nothing, or something of another type, begins a
 * span of its own type; a span without its last token ends where it is not continued.
 */
export function spansOf(tags: readonly string[]): Span[] {
  const spans: Span[] = [];
  let before: Piece = { part: "O", type: "" };
  let start = -1;
  for (let i = 0; i <= tags.length; i++) {
    const now: Piece = i < tags.length ? pieceOf(tags[i]!) : { part: "O", type: "" };
    if (start >= 0 && ends(before, now)) {
      spans.push({ type: before.type, start, end: i });
      start = -1;
    }
    if (start < 0 && now.part !== "O") start = i;
    before = now;
  }
  return spans;
}

function ends(before: Piece, now: Piece): boolean {
  if (before.part === "E" || before.part === "S") return true;
  return now.part === "O" || now.part === "B" || now.part === "S" || now.type !== before.type;
}

/**
 * The spans that are written exactly as `scheme` asks; anything else is no span (seqeval's strict mode). In
 * BIO an inner token of another type ends the span before it.
 */
export function strictSpansOf(tags: readonly string[], scheme: Scheme): Span[] {
  if (scheme === "IOB1" || scheme === "BIO") {
    // With inner tokens alone after a beginning, what conlleval repairs is what starts otherwise.
    return spansOf(tags).filter(({ start, type }) => {
      if (scheme === "BIO") return pieceOf(tags[start]!).part === "B";
      const before = start > 0 ? pieceOf(tags[start - 1]!) : null;
      const isAfterSame = before !== null && before.part !== "O" && before.type === type;
      return (pieceOf(tags[start]!).part === "B") === isAfterSame;
    });
  }
  return spansOf(tags).filter(({ start, end }) => {
    if (end - start === 1) return pieceOf(tags[start]!).part === "S";
    const inside = tags.slice(start + 1, end - 1).every((tag) => pieceOf(tag).part === "I");
    return pieceOf(tags[start]!).part === "B" && pieceOf(tags[end - 1]!).part === "E" && inside;
  });
}

/** Tags of `length` tokens in a scheme. Throws an InputError where spans overlap or reach beyond the sentence. */
export function tagsOf(spans: readonly Span[], length: number, scheme: Scheme): string[] {
  const tags = new Array<string>(length).fill(OUTSIDE);
  const { begin, inside, end: last, single } = letters[scheme];
  const ordered = [...spans].sort((a, b) => a.start - b.start);
  for (const [i, { type, start, end }] of ordered.entries()) {
    if (start < 0 || end <= start || end > length)
      throw new InputError(`span ${start}–${end} of type ${type} does not lie in ${length} tokens`);
    const before = i > 0 ? ordered[i - 1]! : null;
    if (before !== null && before.end > start)
      throw new InputError(
        `spans ${before.start}–${before.end} (${before.type}) and ${start}–${end} (${type}) overlap; tags hold one span a token`,
      );
    if (scheme === "IOB1") {
      tags.fill(`${inside}-${type}`, start, end);
      if (before !== null && before.end === start && before.type === type) tags[start] = `${begin}-${type}`;
      continue;
    }
    tags.fill(`${inside}-${type}`, start, end);
    tags[start] = `${begin}-${type}`;
    tags[end - 1] = `${end - start === 1 ? single : last}-${type}`;
  }
  return tags;
}

/** The same spans in another scheme; invalid sequences are read as `spansOf` reads them. */
export function convertTags(tags: readonly string[], to: Scheme): string[] {
  return tagsOf(spansOf(tags), tags.length, to);
}

/** What the tags of a data set are. */
export interface SchemeFound {
  /** null where the tags write no spans, as parts of speech. */
  readonly scheme: Scheme | null;
  /** Spans, how many of them are not written as the scheme asks, and the first such place. */
  readonly spans: number;
  readonly irregular: number;
  readonly first: { readonly sentence: number; readonly token: number } | null;
}

/**
 * The scheme that sentences of tags are written in, as the letters used and the beginnings of spans show. Throws an
 * InputError where letters of two schemes stand side by side.
 */
export function schemeOf(sentences: readonly (readonly string[])[]): SchemeFound {
  const used = new Set<string>();
  const known = new Map<string, boolean>();
  for (const tags of sentences)
    for (const tag of tags) {
      let isSpan = known.get(tag);
      if (isSpan === undefined) {
        const match = written.exec(tag);
        isSpan = match !== null || tag === OUTSIDE;
        known.set(tag, isSpan);
        if (match !== null) used.add(match[1]!);
      }
      if (!isSpan) return { scheme: null, spans: 0, irregular: 0, first: null };
    }
  if (used.size === 0) return { scheme: null, spans: 0, irregular: 0, first: null };
  const rare = [...used].filter((letter) => letter !== "B" && letter !== "I");
  const scheme =
    rare.length > 0
      ? (["BIOES", "BMES", "BILOU"] as const).find((name) =>
          [...used].every((letter) => Object.values(letters[name]).includes(letter)),
        )
      : count(sentences, "BIO").irregular <= count(sentences, "IOB1").irregular
        ? "BIO"
        : "IOB1";
  if (scheme === undefined)
    throw new InputError(
      `tags use the letters ${[...used].sort().join(", ")}, a mix of schemes; write them all as ${SCHEMES.join(", ")} has it`,
    );
  return { scheme, ...count(sentences, scheme) };
}

function count(sentences: readonly (readonly string[])[], scheme: Scheme): Omit<SchemeFound, "scheme"> {
  let spans = 0;
  let irregular = 0;
  let first: SchemeFound["first"] = null;
  for (const [sentence, tags] of sentences.entries()) {
    const all = spansOf(tags);
    if (all.length === 0) continue;
    const strict = new Set(strictSpansOf(tags, scheme).map(({ start }) => start));
    spans += all.length;
    irregular += all.length - strict.size;
    if (first === null && strict.size < all.length)
      first = { sentence, token: all.find(({ start }) => !strict.has(start))!.start };
  }
  return { spans, irregular, first };
}

/**
 * Whether `tag` may come right after `before` in a scheme; null stands for the beginning and the end of a
 * sentence. Tags that write no spans (scheme null) follow each other freely.
 */
export function mayFollow(scheme: Scheme | null, before: string | null, tag: string | null): boolean {
  if (scheme === null || scheme === "IOB1") {
    if (scheme === null || tag === null) return true;
    const now = pieceOf(tag);
    if (now.part !== "B") return true;
    const was = before === null ? null : pieceOf(before);
    return was !== null && was.part !== "O" && was.type === now.type;
  }
  const was = before === null ? { part: "O", type: "" } : pieceOf(before);
  const now = tag === null ? { part: "O", type: "" } : pieceOf(tag);
  const continues = now.part === "I" || now.part === "E";
  if (scheme === "BIO")
    return !continues || ((was.part === "B" || was.part === "I") && was.type === now.type);
  const isOpen = was.part === "B" || was.part === "I";
  return isOpen ? continues && was.type === now.type : !continues;
}
