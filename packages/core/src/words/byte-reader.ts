import { InputError } from "../errors.ts";

/** A file of word vectors: its bytes in order, unpacked where they were packed. */
export interface ByteSource {
  /** What people call it; errors begin with it. */
  readonly name: string;
  /** Bytes it holds once unpacked; null where that is not known before the end. */
  readonly size: number | null;
  chunks(): AsyncIterable<Uint8Array>;
}

/** Bytes of a source one after the other, held no longer than needed. */
export class ByteReader {
  readonly name: string;
  /** Bytes at hand; those before `at` are read. */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  #before = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #isDone = false;

  constructor(source: ByteSource) {
    this.name = source.name;
    this.#chunks = source.chunks()[Symbol.asyncIterator]();
  }

  /** Position in the file, in bytes. */
  get position(): number {
    return this.#before + this.at;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Reads on until `count` bytes are at hand, or the end; says whether they are. */
  async has(count: number): Promise<boolean> {
    if (this.left >= count) return true;
    const parts = [this.bytes.subarray(this.at)];
    let total = this.left;
    while (total < count && !this.#isDone) {
      const { value, done } = await this.#chunks.next();
      if (done) this.#isDone = true;
      else {
        parts.push(value);
        total += value.length;
      }
    }
    this.#before += this.at;
    this.at = 0;
    this.bytes = parts.length === 2 && parts[0]!.length === 0 ? parts[1]! : joined(parts, total);
    return total >= count;
  }

  /** The next `count` bytes, a view. Throws an InputError that says what was to come where the file ends before. */
  async take(count: number, what: string): Promise<Uint8Array> {
    if (!(await this.has(count)))
      this.fail(`ends within ${what}, at byte ${this.#before + this.bytes.length}`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  /**
   * Copies the next bytes into `target` until it is full; one that is larger than what is held is never held
   * whole.
   */
  async fill(target: Uint8Array, what: string): Promise<void> {
    for (let done = 0; done < target.length; ) {
      if (!(await this.has(1))) this.fail(`ends within ${what}, at byte ${this.position}`);
      const count = Math.min(this.left, target.length - done);
      target.set(this.bytes.subarray(this.at, this.at + count), done);
      this.at += count;
      done += count;
    }
  }

  /** Bytes up to `byte`, which is passed over; null where it does not come within `limit` bytes. */
  async until(byte: number, limit: number): Promise<Uint8Array | null> {
    for (let wanted = 1; ; wanted = 2 * this.left + 64) {
      const isMore = await this.has(Math.min(limit, wanted));
      const end = this.bytes.indexOf(byte, this.at);
      if (end >= 0 && end - this.at <= limit) {
        const found = this.bytes.subarray(this.at, end);
        this.at = end + 1;
        return found;
      }
      if (!isMore || this.left >= limit) return null;
    }
  }

  /** Leaves the file. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  fail(problem: string): never {
    throw new InputError(`${this.name} ${problem}`);
  }
}

function joined(parts: readonly Uint8Array[], total: number): Uint8Array {
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
