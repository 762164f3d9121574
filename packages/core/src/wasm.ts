// WebAssembly modules written as expressions: a value is the code that leaves it on the stack, a local
// variable is the code that reads it. See the core specification's binary format,
// https://webassembly.github.io/spec/core/binary/, and for relaxed multiplication and addition
// https://github.com/WebAssembly/relaxed-simd.

/** Bytes that leave a value on the stack. */
export type Code = readonly number[];
/** What variables hold: an integer or an address, a float32, four float32. */
export type Kind = "i32" | "f32" | "v128";

/** What a function is made of. */
export interface FunctionBody {
  /** A variable, 0 at first. */
  local(kind: Kind): Code;
  set(local: Code, value: Code): void;
  /** Any statement: a store. */
  run(statement: Code): void;
  /** Runs the body again and again as long as the condition holds after it; at least once. */
  loop(body: () => void, condition: () => Code): void;
  when(condition: Code, body: () => void): void;
}

/** A function: what its parameters are, and what it does with them. */
export interface WasmFunction {
  readonly parameters: readonly Kind[];
  body(f: FunctionBody, ...parameters: Code[]): void;
}

const KINDS = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;

const op =
  (...code: number[]) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), ...code];
const simd = (code: number) => op(0xfd, ...unsigned(code));
/** Loads may name any alignment up to their own; addresses here need none. */
const at =
  (code: readonly number[]) =>
  (address: Code, offset = 0) => [...address, ...code, 0, ...unsigned(offset)];
const put =
  (code: readonly number[]) =>
  (address: Code, value: Code, offset = 0): Code => [...address, ...value, ...code, 0, ...unsigned(offset)];

export const i32 = {
  of: (value: number): Code => [0x41, ...signed(value)],
  add: op(0x6a),
  sub: op(0x6b),
  mul: op(0x6c),
  below: op(0x49),
  equal: op(0x46),
  load: at([0x28]),
  store: put([0x36]),
};

export const f32 = {
  load: at([0x2a]),
  store: put([0x38]),
  convert: op(0xb2),
  div: op(0x95),
  of: (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
};

export const f32x4 = {
  load: at([0xfd, 0x00]),
  /** One number in all four places. */
  loadSplat: at([0xfd, 0x09]),
  store: put([0xfd, 0x0b]),
  splat: simd(0x13),
  of: (value: number): Code => [...f32.of(value), 0xfd, 0x13],
  add: simd(0xe4),
  sub: simd(0xe5),
  mul: simd(0xe6),
  div: simd(0xe7),
  min: simd(0xe8),
  max: simd(0xe9),
  sqrt: simd(0xe3),
  abs: simd(0xe0),
  /** All bits where the first is greater, none elsewhere. */
  above: simd(0x44),
  and: simd(0x4e),
  /** The four places taken from the eight of two vectors. */
  shuffle: (a: Code, b: Code, places: readonly [number, number, number, number]): Code => [
    ...a,
    ...b,
    ...[0xfd, 0x0d],
    ...places.flatMap((place) => [0, 1, 2, 3].map((byte) => 4 * place + byte)),
  ],
};

/** a · b + c, rounded once where the platform is asked to (`isFused`) and its processor can. */
export function multiplyAdd(isFused: boolean): (a: Code, b: Code, c: Code) => Code {
  return isFused ? simd(0x105) : (a, b, c) => f32x4.add(c, f32x4.mul(a, b));
}

/** Sets `into` to the sums of four vectors' places, one in each place; `other` is overwritten. */
export function setSums(f: FunctionBody, into: Code, other: Code, four: readonly Code[]): void {
  const pairs = (x: Code, y: Code) =>
    f32x4.add(f32x4.shuffle(x, y, [0, 4, 1, 5]), f32x4.shuffle(x, y, [2, 6, 3, 7]));
  // [x0 + x2, y0 + y2, x1 + x3, y1 + y3] of both pairs, then their halves together.
  f.set(other, pairs(four[0]!, four[1]!));
  f.set(into, pairs(four[2]!, four[3]!));
  f.set(into, f32x4.add(f32x4.shuffle(other, into, [0, 1, 4, 5]), f32x4.shuffle(other, into, [2, 3, 6, 7])));
}

/**
 * The module with one export a function, over a memory that it imports ("m" of ""), shared between threads or
 * not.
 */
export function wasmModule(
  functions: Readonly<Record<string, WasmFunction>>,
  isShared = false,
): Uint8Array<ArrayBuffer> {
  const all = Object.entries(functions);
  const types = all.map(([, { parameters }]) => [
    0x60,
    ...vector(parameters.map((kind) => [KINDS[kind]])),
    0,
  ]);
  const limits = isShared ? [0x03, 0, ...unsigned(65_536)] : [0x00, 0];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...text(""), ...text("m"), 0x02, ...limits]])),
    ...section(3, vector(all.map((_, i) => unsigned(i)))),
    ...section(7, vector(all.map(([name], i) => [...text(name), 0x00, ...unsigned(i)]))),
    ...section(
      10,
      vector(
        all.map(([, one]) => {
          const code = codeOf(one);
          return [...unsigned(code.length), ...code];
        }),
      ),
    ),
  ]);
}

function codeOf({ parameters, body }: WasmFunction): number[] {
  const locals: Kind[] = [];
  let code: number[] = [];
  const get = (i: number): Code => [0x20, ...unsigned(i)];
  const f: FunctionBody = {
    local: (kind) => get(parameters.length + locals.push(kind) - 1),
    set: (local, value) => void code.push(...value, 0x21, ...local.slice(1)),
    run: (statement) => void code.push(...statement),
    loop(inner, condition) {
      const outside = code;
      code = [];
      inner();
      outside.push(0x03, 0x40, ...code, ...condition(), 0x0d, 0, 0x0b);
      code = outside;
    },
    when(condition, inner) {
      const outside = code;
      code = [];
      inner();
      outside.push(...condition, 0x04, 0x40, ...code, 0x0b);
      code = outside;
    },
  };
  body(f, ...parameters.map((_, i) => get(i)));
  return [...vector(locals.map((kind) => [1, KINDS[kind]])), ...code, 0x0b];
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
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(Math.floor(value / 128))];
}

function signed(value: number): number[] {
  const low = value & 127;
  const rest = value >> 7;
  const isLast = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0);
  return isLast ? [low] : [low | 128, ...signed(rest)];
}
