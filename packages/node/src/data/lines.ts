import { TextDecoder } from "node:util";
import { readBytes, size } from "./bytes.ts";
import { byteOrderMark, type Decoder, decoder, undecodable } from "./encoding.ts";
import { fileError, limits, type Report } from "./format.ts";
import { legacyEncoding, legacyNote } from "./legacy.ts";

/**
 * Consecutive lines of a file. Lines end in \n alone (a \r before it stays), so that a text holding U+0085 or
 * U+2028 is not torn apart. `problems` says of lines, by position in `texts`, why they could not be read;
 * their text is "".
 */
export interface Lines {
  /** Number of the first line, from 1. */
  readonly first: number;
  readonly texts: readonly string[];
  readonly problems: ReadonlyMap<number, string>;
}

/**
 * The lines of a text file, in blocks of about 1 MiB, decoded strictly: UTF-8 unless `encoding` or a
 * byte-order mark says otherwise, or the file is windows-1252 throughout (`legacyEncoding`), which is noted.
 * Throws an InputError where the file is empty, cannot be read, or has a line beyond the limit.
 */
export async function* readLines(
  path: string,
  name: string,
  encoding: string | null,
  report: Pick<Report, "found" | "note">,
): AsyncGenerator<Lines, void> {
  let decode: Decoder | null = null;
  let judged = encoding !== null;
  let number = 1;
  let rest: Buffer[] = [];
  let held = 0;
  const linesOf = async (block: Buffer): Promise<Lines> => {
    const lines = decodeLines(block, number, decode!);
    if (judged || decode!.encoding !== "utf-8" || lines.problems.size === 0) return lines;
    judged = true;
    const legacy = await legacyEncoding(path, name); // every line so far was ASCII, else this is null
    if (legacy === null) return lines;
    report.note(legacyNote(name, legacy));
    decode = decoder(legacy.encoding, name);
    return decodeLines(block, number, decode);
  };
  for await (const piece of startingAtText(readBytes(path, name), encoding, name)) {
    decode ??= piece.decoder;
    const end = piece.bytes.lastIndexOf(10);
    if (end < 0) {
      rest.push(piece.bytes);
      held += piece.bytes.length;
      if (held > limits.line) throw tooLong(name, number);
      continue;
    }
    const block =
      rest.length === 0
        ? piece.bytes.subarray(0, end)
        : Buffer.concat([...rest, piece.bytes.subarray(0, end)]);
    const lines = await linesOf(block);
    yield lines;
    number += lines.texts.length;
    rest = [piece.bytes.subarray(end + 1)];
    held = rest[0]!.length;
  }
  if (decode === null) throw fileError(name, "is empty; there are no rows to read");
  if (held > 0) yield await linesOf(Buffer.concat(rest));
  report.found({ encoding: decode.encoding });
}

/** The bytes after a byte-order mark, with the decoder for them; UTF-16 arrives as UTF-8. */
async function* startingAtText(
  source: AsyncIterable<Buffer>,
  encoding: string | null,
  name: string,
): AsyncGenerator<{ bytes: Buffer; decoder: Decoder }, void> {
  let chosen: Decoder | null = null;
  let wide: TextDecoder | null = null;
  for await (const chunk of source) {
    let bytes = chunk;
    if (chosen === null) {
      const mark = byteOrderMark(bytes);
      if (mark !== null && (encoding === null || decoder(encoding, name).encoding === mark.encoding)) {
        bytes = bytes.subarray(mark.length);
      }
      chosen = decoder(encoding ?? mark?.encoding ?? "utf-8", name);
      if (chosen.encoding.startsWith("utf-16")) wide = new TextDecoder(chosen.encoding, { fatal: true });
    }
    if (wide !== null) {
      const text = wideText(wide, bytes, name);
      yield { bytes: Buffer.from(text), decoder: { ...decoder("utf-8", name), encoding: chosen.encoding } };
    } else {
      yield { bytes, decoder: chosen };
    }
  }
  if (wide !== null) wideText(wide, null, name);
}

function wideText(wide: TextDecoder, bytes: Buffer | null, name: string): string {
  try {
    return bytes === null ? wide.decode() : wide.decode(bytes, { stream: true });
  } catch {
    throw fileError(name, `is no text in ${wide.encoding}; save it as UTF-8`);
  }
}

/** Decodes whole lines at once, and one by one only where something is wrong with the block. */
function decodeLines(block: Buffer, first: number, decode: Decoder): Lines {
  const problems = new Map<number, string>();
  const text = block.indexOf(0) < 0 ? decode.decode(block) : null;
  if (text !== null) return { first, texts: text.split("\n"), problems };
  const texts: string[] = [];
  for (let start = 0; start <= block.length; ) {
    const next = block.indexOf(10, start);
    const end = next < 0 ? block.length : next;
    const line = block.subarray(start, end);
    const nul = line.indexOf(0);
    const decoded = nul >= 0 ? null : decode.decode(line);
    if (decoded === null) {
      problems.set(
        texts.length,
        nul >= 0
          ? `holds a NUL byte at position ${nul + 1}; the file is damaged, or UTF-16: save it as UTF-8`
          : undecodable(line, decode.encoding),
      );
    }
    texts.push(decoded ?? "");
    start = end + 1;
  }
  return { first, texts, problems };
}

function tooLong(name: string, line: number) {
  return fileError(
    name,
    `line ${line} or one after it is longer than ${size(limits.line)}; this is no table of texts`,
  );
}
