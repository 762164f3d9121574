// A WebAssembly module of loops over float32 arrays, four elements at a time, written out byte by byte: see the core
// specification's binary format, https://webassembly.github.io/spec/core/binary/.

/** Bytes that leave one vector of four numbers on the stack. */
export type Code = readonly number[];

/** A loop: the arrays and numbers it is given, and what it does with four elements of each array. */
export interface Loop {
  readonly arrays: readonly string[];
  readonly numbers: readonly string[];
  /** Names of vectors that `body` sets. */
  readonly vectors: readonly string[];
  /** Writes the statements. `get` reads an array's elements, a number in all four places, or a vector. */
  body(get: (name: string) => Code, set: (name: string, value: Code) => Code): readonly Code[];
}

const unary =
  (code: number) =>
  (a: Code): Code => [...a, 0xfd, ...unsigned(code)];
const binary =
  (code: number) =>
  (a: Code, b: Code): Code => [...a, ...b, 0xfd, ...unsigned(code)];
export const add = binary(0xe4);
export const sub = binary(0xe5);
export const mul = binary(0xe6);
export const div = binary(0xe7);
export const greater = binary(0xe9);
export const sqrt = unary(0xe3);
export const abs = unary(0xe0);
/** All bits where a > b, none elsewhere. */
export const above = binary(0x44);
export const and = binary(0x4e);

/**
 * The module with one exported function a loop. It imports its memory ("m" of ""); a function takes the addresses of its
 * arrays, of the end of the first one, then its numbers. Addresses are multiples of 16.
 */
export function assemble(loops: Readonly<Record<string, Loop>>): Uint8Array<ArrayBuffer> {
  const all = Object.entries(loops);
  const types = all.map(([, { arrays, numbers }]) => [
    0x60,
    ...vector([...arrays.map(() => [0x7f]), [0x7f], ...numbers.map(() => [0x7d])]),
    0,
  ]);
  const memory = [...text(""), ...text("m"), 0x02, 0, 0]; // of any size
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(all.map((_, i) => unsigned(i)))),
    ...section(7, vector(all.map(([name], i) => [...text(name), 0x00, ...unsigned(i)]))),
    ...section(
      10,
      vector(
        all.map(([, loop]) => {
          const code = functionOf(loop);
          return [...unsigned(code.length), ...code];
        }),
      ),
    ),
  ]);
}

function functionOf({ arrays, numbers, vectors, body }: Loop): number[] {
  const end = arrays.length;
  const first = end + 1 + numbers.length; // locals: numbers as vectors, then the vectors
  const local = (i: number) => [0x20, ...unsigned(i)];
  const place = new Map([...numbers, ...vectors].map((name, i) => [name, first + i]));
  const get = (name: string): Code =>
    arrays.includes(name) ? [...local(arrays.indexOf(name)), 0xfd, 0x00, 4, 0] : local(place.get(name)!);
  const set = (name: string, value: Code): Code =>
    arrays.includes(name)
      ? [...local(arrays.indexOf(name)), ...value, 0xfd, 0x0b, 4, 0]
      : [...value, 0x21, ...unsigned(place.get(name)!)];
  const splats = numbers.flatMap((name, i) => [
    ...local(end + 1 + i),
    0xfd,
    0x13,
    0x21,
    ...unsigned(place.get(name)!),
  ]);
  const ahead = arrays.flatMap((_, i) => [...local(i), 0x41, 16, 0x6a, 0x21, ...unsigned(i)]);
  return [
    ...vector([[...unsigned(numbers.length + vectors.length), 0x7b]]),
    ...splats,
    ...[0x02, 0x40, 0x03, 0x40], // block, loop
    ...[...local(0), ...local(end), 0x4f, 0x0d, 1], // at the end: leave
    ...body(get, set).flat(),
    ...ahead,
    ...[0x0c, 0, 0x0b, 0x0b, 0x0b],
  ];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(entries: readonly (readonly number[])[]): number[] {
  return [...unsigned(entries.length), ...entries.flat()];
}

function text(name: string): number[] {
  return [...unsigned(name.length), ...[...name].map((letter) => letter.charCodeAt(0))];
}

/** LEB128 */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >> 7)];
}
