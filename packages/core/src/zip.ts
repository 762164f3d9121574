/** A member of a zip archive to be written: its name, and its bytes in pieces. */
export interface ZipMember {
  readonly name: string;
  readonly pieces: readonly Uint8Array[];
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const WIDE = 0xffffffff;

/**
 * The bytes of a zip archive of members stored as they are, without times, so that equal members make equal
 * archives. Members and archives of 4 GiB and more are written in the wide form (zip64). See PKWARE's
 * APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT.
 */
export function* writeZip(members: readonly ZipMember[]): Generator<Uint8Array, void> {
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const { name, pieces } of members) {
    const spelling = new TextEncoder().encode(name);
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const crc = pieces.reduce((sum, piece) => crc32(piece, sum), 0);
    const isWide = size >= WIDE || offset >= WIDE;
    const sizes = isWide ? [u32(WIDE), u32(WIDE)] : [u32(size), u32(size)];
    const version = u16(isWide ? 45 : 20);
    const common = [version, u16(0x800), u16(0), u16(0), u16(0x21), u32(crc), ...sizes, u16(spelling.length)];
    const local = isWide ? [u16(1), u16(16), u64(size), u64(size)] : [];
    const head = bytesOf([u32(LOCAL), ...common, u16(isWide ? 20 : 0), spelling, ...local]);
    yield head;
    yield* pieces;
    const wide = isWide ? [u16(1), u16(24), u64(size), u64(size), u64(offset)] : [];
    central.push(
      bytesOf([
        ...[u32(CENTRAL), version, ...common, u16(isWide ? 28 : 0), u16(0), u16(0), u16(0), u32(0)],
        ...[u32(isWide ? WIDE : offset), spelling, ...wide],
      ]),
    );
    offset += head.length + size;
  }
  const directory = bytesOf(central);
  yield directory;
  const count = members.length;
  if (offset >= WIDE) {
    const end = offset + directory.length;
    const entries = [u64(count), u64(count), u64(directory.length), u64(offset)];
    yield bytesOf([u32(END_64), u64(44), u16(45), u16(45), u32(0), u32(0), ...entries]);
    yield bytesOf([u32(LOCATOR_64), u32(0), u64(end), u32(1)]);
  }
  const counts = [u16(0), u16(0), u16(count), u16(count)];
  yield bytesOf([u32(END), ...counts, u32(directory.length), u32(Math.min(offset, WIDE)), u16(0)]);
}

/** What stands before a member in an archive. */
export interface ZipHead {
  readonly name: string;
  /** Whether its bytes are packed (deflate). */
  readonly isPacked: boolean;
  /** Bytes in the archive, and of the member itself. */
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
}

/**
 * Bytes of the fixed part of a member's head; the name and the extra field follow, as long as `zipHeadLength`
 * says.
 */
export const ZIP_HEAD = 30;

/** Whether a member begins here; after the last one the directory does. */
export function isZipHead(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL;
}

/** Bytes that the name and the extra field take behind the fixed part. */
export function zipHeadLength(fixed: Uint8Array): number {
  const view = viewOf(fixed);
  return view.getUint16(26, true) + view.getUint16(28, true);
}

/** A member's head from its fixed part and what follows; a sentence where such a member is not read. */
export function readZipHead(fixed: Uint8Array, rest: Uint8Array): ZipHead | string {
  const view = viewOf(fixed);
  const flags = view.getUint16(6, true);
  const method = view.getUint16(8, true);
  const nameLength = view.getUint16(26, true);
  const name = new TextDecoder("utf-8").decode(rest.subarray(0, nameLength));
  if ((flags & 1) !== 0) return `its member ${JSON.stringify(name)} is encrypted`;
  if (method !== 0 && method !== 8) return `its member ${JSON.stringify(name)} is packed by method ${method}`;
  let size = view.getUint32(22, true);
  let packed = view.getUint32(18, true);
  const extra = viewOf(rest.subarray(nameLength));
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1 || at + 20 > extra.byteLength) continue;
    if (size === WIDE) size = Number(extra.getBigUint64(at + 4, true));
    if (packed === WIDE) packed = Number(extra.getBigUint64(at + 12, true));
  }
  if ((flags & 8) !== 0 && packed === 0)
    return `its member ${JSON.stringify(name)} does not say how long it is (it was written to a stream)`;
  if (method === 0 && size !== packed) return `its member ${JSON.stringify(name)} has two lengths`;
  return { name, isPacked: method === 8, packed, size, crc: view.getUint32(14, true) };
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** The checksum of zip archives, going on from that of what came before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let c = ~before;
  for (let i = 0; i < bytes.length; i++) c = table[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const u16 = (value: number) => Uint8Array.of(value & 255, value >>> 8);
const u32 = (value: number) =>
  Uint8Array.of(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
const u64 = (value: number) => bytesOf([u32(value % 2 ** 32), u32(Math.floor(value / 2 ** 32))]);

function bytesOf(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
