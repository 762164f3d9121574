import { type FileHandle, open } from "node:fs/promises";

/** Numbers read at once, and a writer's first room. */
const BUFFER = 2 ** 18;

/** Numbers [from, to) of an encoded corpus. */
export async function readTokens(file: FileHandle, from: number, to: number): Promise<Int32Array> {
  const tokens = new Int32Array(to - from);
  const bytes = new Uint8Array(tokens.buffer);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, 4 * from + done);
    if (bytesRead === 0) throw new Error("the encoded corpus is shorter than it was");
    done += bytesRead;
  }
  return tokens;
}

/** All numbers of a file, in blocks. */
export async function* readNumbers(path: string): AsyncGenerator<Int32Array, void> {
  const file = await open(path);
  try {
    const total = (await file.stat()).size / 4;
    for (let at = 0; at < total; at += BUFFER) yield await readTokens(file, at, Math.min(total, at + BUFFER));
  } finally {
    await file.close();
  }
}

/** Writes numbers to a new file as int32; `close` tells how many there were. */
export async function numberWriter(path: string) {
  const file = await open(path, "w");
  let numbers = new Int32Array(2 * BUFFER);
  let count = 0;
  let written = 0;
  const flush = async () => {
    await file.writeFile(new Uint8Array(numbers.buffer, 0, 4 * count));
    written += count;
    count = 0;
  };
  return {
    put(number: number) {
      if (count === numbers.length) {
        const larger = new Int32Array(2 * count);
        larger.set(numbers);
        numbers = larger;
      }
      numbers[count++] = number;
    },
    pending: () => count,
    flush,
    async close() {
      await flush();
      await file.close();
      return written;
    },
  };
}
