import { InputError } from "../errors.ts";

/** Wire types (https://protobuf.dev/programming-guides/encoding). Groups, 3 and 4, do not occur in ONNX. */
const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

/** As deep as protobuf's own readers go by default. */
const MAX_DEPTH = 100;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Reads one protobuf message field by field: `next()` moves to a field and gives its number, then exactly one
 * method takes its content. Nothing is copied, no length is believed before it is checked, and all damage is
 * an InputError that names the file and the byte.
 */
export class ProtoReader {
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  readonly #depth: number;
  #position: number;
  #fieldStart = 0;
  #wire = 0;
  #field = 0;
  /** The two halves of the integer read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, source: string, start = 0, end = bytes.length, depth = 0, view?: DataView) {
    // A plain array even where Node's Buffer is given, whose `slice` is another.
    this.bytes = view ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.source = source;
    this.#view = view ?? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = start;
    this.#end = end;
    this.#depth = depth;
  }

  /** The number of the next field, 0 at the end of the message. */
  next(): number {
    if (this.#position === this.#end) return 0;
    this.#fieldStart = this.#position;
    this.#varint();
    this.#wire = this.#low & 7;
    this.#field = this.#low >>> 3;
    if (this.#high !== 0 || this.#field === 0) this.fail("a field has no valid number");
    return this.#field;
  }

  /** An integer that must be exact as a JavaScript number: a size, a version, a code. */
  integer(): number {
    this.#expect(VARINT);
    this.#varint();
    return this.#number();
  }

  /** A 64-bit signed integer. */
  int64(): bigint {
    this.#expect(VARINT);
    this.#varint();
    return this.#bigint();
  }

  float(): number {
    this.#expect(FIXED32);
    return this.#view.getFloat32(this.#take(4), true);
  }

  string(): string {
    const bytes = this.view();
    try {
      return decoder.decode(bytes);
    } catch {
      return this.fail("a text is not UTF-8");
    }
  }

  /** The content of a bytes field, as a view of the file. */
  view(): Uint8Array {
    const [start, end] = this.range();
    return this.bytes.subarray(start, end);
  }

  /** A reader of a nested message. */
  message(): ProtoReader {
    const [start, end] = this.range();
    if (this.#depth >= MAX_DEPTH) this.fail(`messages are nested more than ${MAX_DEPTH} deep`);
    return new ProtoReader(this.bytes, this.source, start, end, this.#depth + 1, this.#view);
  }

  /** Where the content of a length-delimited field lies: [start, end). */
  range(): [number, number] {
    this.#expect(LENGTH);
    this.#varint();
    const length = this.#high * 2 ** 32 + this.#low;
    const start = this.#take(length);
    return [start, start + length];
  }

  /** Adds the numbers of a repeated integer field, packed or not, to `list`. */
  integers(list: number[]): void {
    this.#repeat(VARINT, () => {
      this.#varint();
      list.push(this.#number());
    });
  }

  int64s(list: bigint[]): void {
    this.#repeat(VARINT, () => {
      this.#varint();
      list.push(this.#bigint());
    });
  }

  floats(list: number[]): void {
    this.#repeat(FIXED32, () => list.push(this.#view.getFloat32(this.#take(4), true)));
  }

  /** Notes where the elements of a repeated number field lie, to be decoded once their count is known. */
  elements(ranges: number[]): void {
    if (this.#wire === LENGTH) {
      ranges.push(...this.range());
      return;
    }
    const start = this.#position;
    this.#skip();
    ranges.push(start, this.#position);
  }

  /** The field as it stands in the file, number included; for those this version does not know. */
  unknown(): Uint8Array {
    this.#skip();
    return this.bytes.subarray(this.#fieldStart, this.#position);
  }

  /** Decodes integers from [start, end): their low 32 bits and high 32 bits. */
  each(start: number, end: number, take: (low: number, high: number) => void): void {
    const part = new ProtoReader(this.bytes, this.source, start, end, this.#depth, this.#view);
    while (part.#position < end) {
      part.#varint();
      take(part.#low, part.#high);
    }
  }

  /** What is left of this message, as bytes. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.#position, this.#end);
  }

  fail(what: string): never {
    throw new InputError(
      `${this.source}: ${what} (byte ${this.#position} of ${this.bytes.length}); the file is damaged or is not an ONNX model`,
    );
  }

  #repeat(wire: number, take: () => void): void {
    if (this.#wire !== LENGTH) {
      this.#expect(wire);
      take();
      return;
    }
    const [start, end] = this.range();
    this.#position = start;
    while (this.#position < end) take();
    if (this.#position !== end) this.fail("a list of numbers does not end where it says");
  }

  #skip(): void {
    if (this.#wire === VARINT) this.#varint();
    else if (this.#wire === FIXED64) this.#take(8);
    else if (this.#wire === FIXED32) this.#take(4);
    else if (this.#wire === LENGTH) this.range();
    else this.fail(`field ${this.#field} has wire type ${this.#wire}, which ONNX does not use`);
  }

  #expect(wire: number): void {
    if (this.#wire !== wire)
      this.fail(`field ${this.#field} has wire type ${this.#wire} where ${wire} belongs`);
  }

  #take(length: number): number {
    const start = this.#position;
    if (length > this.#end - start) this.fail(`${length} bytes are announced, ${this.#end - start} are left`);
    this.#position = start + length;
    return start;
  }

  #varint(): void {
    let low = 0;
    let high = 0;
    for (let i = 0; i < 10; i++) {
      if (this.#position >= this.#end) this.fail("the file ends inside a number");
      const byte = this.bytes[this.#position++]!;
      const bits = byte & 0x7f;
      if (i < 4) low |= bits << (7 * i);
      else if (i === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * i - 32);
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    this.fail("a number is longer than ten bytes");
  }

  #bigint(): bigint {
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low));
  }

  #number(): number {
    const value = (this.#high | 0) * 2 ** 32 + this.#low;
    if (!Number.isSafeInteger(value)) this.fail(`the number ${this.#bigint()} is too large to mean anything`);
    return value;
  }
}

/** Below this many bytes content is copied into the writer's own buffer; above, it is referred to until `finish`. */
const COPY = 1024;

/** Writes one protobuf message. Large contents are copied once, by `finish`. */
export class ProtoWriter {
  #segments: Uint8Array[] = [];
  /** Always a whole ArrayBuffer. */
  #buffer = new Uint8Array(64);
  #used = 0;
  #size = 0;

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  integer(field: number, value: number | bigint): void {
    this.#tag(field, VARINT);
    this.#varint(value);
  }

  float(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#reserve(4);
    new DataView(this.#buffer.buffer).setFloat32(this.#used, value, true);
    this.#advance(4);
  }

  string(field: number, value: string): void {
    if (value.length >= COPY || !this.#ascii(field, value)) this.view(field, encoder.encode(value));
  }

  /**
   * Names are short and of ASCII; a call of the encoder takes longer than all else here. False where `value`
   * is of more.
   */
  #ascii(field: number, value: string): boolean {
    for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) >= 0x80) return false;
    this.#tag(field, LENGTH);
    this.#varint(value.length);
    this.#reserve(value.length);
    for (let i = 0; i < value.length; i++) this.#buffer[this.#used + i] = value.charCodeAt(i);
    this.#advance(value.length);
    return true;
  }

  /** A text that is left out where it is empty. */
  text(field: number, value: string | undefined): void {
    if (value) this.string(field, value);
  }

  /** A bytes field. `value` must not change before `finish`. */
  view(field: number, value: Uint8Array): void {
    this.#tag(field, LENGTH);
    this.#varint(value.length);
    this.raw(value);
  }

  message(field: number, content: (writer: ProtoWriter) => void): void {
    const writer = new ProtoWriter();
    content(writer);
    this.#tag(field, LENGTH);
    this.#varint(writer.#size);
    for (const segment of writer.#parts()) this.raw(segment);
  }

  /** Bytes as they are: fields carried through from another file. */
  raw(bytes: Uint8Array | undefined): void {
    if (!bytes) return;
    if (bytes.length < COPY) {
      this.#reserve(bytes.length);
      this.#buffer.set(bytes, this.#used);
      this.#advance(bytes.length);
      return;
    }
    this.#segments.push(this.#buffer.subarray(0, this.#used), bytes);
    this.#buffer = new Uint8Array(64);
    this.#used = 0;
    this.#size += bytes.length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#size);
    let offset = 0;
    for (const segment of this.#parts()) {
      bytes.set(segment, offset);
      offset += segment.length;
    }
    return bytes;
  }

  #parts(): Uint8Array[] {
    return [...this.#segments, this.#buffer.subarray(0, this.#used)];
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire);
  }

  #varint(value: number | bigint): void {
    this.#reserve(10);
    let position = this.#used;
    if (typeof value === "number" && value >= 0) {
      let rest = value;
      while (rest >= 0x80) {
        this.#buffer[position++] = (rest % 0x80) | 0x80;
        rest = Math.floor(rest / 0x80);
      }
      this.#buffer[position++] = rest;
    } else {
      let rest = BigInt.asUintN(64, BigInt(value));
      while (rest >= 0x80n) {
        this.#buffer[position++] = Number(rest & 0x7fn) | 0x80;
        rest >>= 7n;
      }
      this.#buffer[position++] = Number(rest);
    }
    this.#advance(position - this.#used);
  }

  #reserve(length: number): void {
    if (this.#used + length <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#used + length));
    grown.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = grown;
  }

  #advance(length: number): void {
    this.#used += length;
    this.#size += length;
  }
}
