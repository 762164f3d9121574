import { isUtf8 } from "node:buffer";
import { readBytes } from "./bytes.ts";
import { decoder } from "./encoding.ts";
import { limits } from "./format.ts";

/** What a file that is not UTF-8 was found to be. */
export interface Legacy {
  readonly encoding: "windows-1252";
  /** Lines that are not UTF-8. */
  readonly lines: number;
  /** The surroundings of the first such byte, decoded. */
  readonly example: string;
}

/** Bytes windows-1252 gives no character (https://encoding.spec.whatwg.org/#windows-1252 maps them to controls). */
const UNUSED: ReadonlySet<number> = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);
/** European languages written in Latin letters stay below a tenth; other scripts are above a half. */
const MOST_HIGH = 0.25;
const LONGEST_RUN = 3;

/**
 * Whether a file is text of Western Europe from before UTF-8, which can be told safely: no line with letters
 * beyond ASCII is UTF-8, no byte is without a character, and such bytes are few and stand between ASCII
 * letters. Null otherwise: a UTF-8 file with damaged lines, Cyrillic or Chinese in an encoding of their own
 * are for a person to name.
 */
export async function legacyEncoding(path: string, name: string): Promise<Legacy | null> {
  const evidence = gather();
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of readBytes(path, name)) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      rest.push(chunk);
      held += chunk.length;
      if (held > limits.line) return null;
      continue;
    }
    if (!evidence.add(Buffer.concat([...rest, chunk.subarray(0, end)]))) return null;
    rest = [chunk.subarray(end + 1)];
    held = rest[0]!.length;
  }
  return evidence.add(Buffer.concat(rest)) ? evidence.verdict() : null;
}

/** The same of a text that is at hand. */
export function legacyEncodingOf(bytes: Buffer): Legacy | null {
  const evidence = gather();
  return evidence.add(bytes) ? evidence.verdict() : null;
}

function gather() {
  let lines = 0;
  let letters = 0;
  let high = 0;
  let example: string | null = null;
  return {
    /** Takes whole lines; false once they speak against it. */
    add(block: Buffer): boolean {
      for (let start = 0; start <= block.length; ) {
        const next = block.indexOf(10, start);
        const end = next < 0 ? block.length : next;
        const line = block.subarray(start, end);
        start = end + 1;
        const first = line.findIndex((byte) => byte >= 0x80);
        if (first < 0) continue;
        if (isUtf8(line)) return false;
        lines++;
        let run = 0;
        for (const byte of line) {
          if (byte === 0 || UNUSED.has(byte)) return false;
          run = byte >= 0x80 ? run + 1 : 0;
          if (run > LONGEST_RUN) return false;
          if (byte >= 0x80) high++;
          else if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) letters++;
        }
        example ??= decoder("windows-1252", "").decode(line.subarray(Math.max(0, first - 12), first + 12));
      }
      return true;
    },
    verdict(): Legacy | null {
      if (lines === 0 || high > MOST_HIGH * (letters + high)) return null;
      return { encoding: "windows-1252", lines, example: example!.trim() };
    },
  };
}

/** What to tell of it. */
export function legacyNote(name: string, { encoding, lines, example }: Legacy): string {
  return `${name}: ${lines === 1 ? "1 line is" : `${lines} lines are`} not UTF-8; read as ${encoding} ("…${example}…"); where that looks wrong, pass --encoding`;
}
