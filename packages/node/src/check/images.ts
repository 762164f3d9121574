import {
  type ImageFacts,
  type ImagePrint,
  type Input,
  InputError,
  imagePrint,
  PRINT_SIDE,
  type Row,
} from "@graft-ml/core";
import sharp from "sharp";
import { contentHash } from "../extract/index.ts";
import { decode, type Pixels, resample } from "../images/index.ts";

/** What looking at every image gives, [rows] each. */
export interface Looks {
  /** Hash of what the image holds; null where it cannot be read. */
  readonly contents: (string | null)[];
  readonly prints: (ImagePrint | null)[];
  readonly facts: (ImageFacts | null)[];
  /** Why rows cannot be read. */
  readonly broken: Map<number, string>;
}

export interface LookOptions {
  readonly onProgress?: (task: string, done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Images decoded at a time; measured fastest with one thread each. */
const IN_FLIGHT = 4;

/** Decodes every image once, as training would, and keeps what it can be compared by. */
export async function lookAtImages(rows: readonly Row[], options: LookOptions): Promise<Looks> {
  sharp.concurrency(1);
  const looks: Looks = {
    contents: rows.map(() => null),
    prints: rows.map(() => null),
    facts: rows.map(() => null),
    broken: new Map(),
  };
  let next = 0;
  let done = 0;
  const worker = async () => {
    for (let i = next++; i < rows.length; i = next++) {
      options.signal?.throwIfAborted();
      await look(rows[i]!.input, i, looks);
      options.onProgress?.("look at images", ++done, rows.length);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return { ...looks, broken: new Map([...looks.broken].sort(([a], [b]) => a - b)) };
}

async function look(input: Input, i: number, looks: Looks): Promise<void> {
  try {
    looks.contents[i] = await contentHash(input);
    const pixels = await decode(input, (size) => {
      const scale = Math.max(PRINT_SIDE / size.width, PRINT_SIDE / size.height);
      return {
        width: Math.max(1, Math.round(size.width * scale)),
        height: Math.max(1, Math.round(size.height * scale)),
      };
    });
    const grey = resample(greyOf(pixels), PRINT_SIDE, PRINT_SIDE, "bilinear").data;
    const print = imagePrint(grey);
    const { width, height } = pixels.original;
    looks.prints[i] = print;
    looks.facts[i] = { width, height, channels: seenChannels(pixels), deviation: print.deviation };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    looks.broken.set(i, error.message);
  }
}

/** Channels that are seen: colours that agree everywhere are grey. */
function seenChannels({ channels, data }: Pixels): number {
  if (channels < 3) return channels;
  for (let at = 0; at < data.length; at += channels)
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return channels;
  return channels - 2;
}

/** Brightness as television has it (ITU-R BT.601); transparency is not looked at. */
function greyOf({ width, height, channels, data }: Pixels): Pixels {
  if (channels === 1) return { width, height, channels, data };
  const grey = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < grey.length; i++, at += channels) {
    grey[i] =
      channels === 2
        ? data[at]!
        : Math.round(0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!);
  }
  return { width, height, channels: 1, data: grey };
}
