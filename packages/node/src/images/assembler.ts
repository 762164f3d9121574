/** A function of a WebAssembly module: every parameter is an i32, nothing is returned. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly locals: Readonly<Record<string, "i32" | "v128">>;
  /** Instructions in the flat text form, with names for parameters and locals; memory operands have no offset. */
  readonly body: string;
}

/**
 * The bytes of a WebAssembly module of these functions over the memory `env.memory`, so that kernels are kept
 * as their instructions and need no tool to build (https://webassembly.github.io/spec/core/binary). Only the
 * instructions listed below are known.
 */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [0x60, ...vector(parameters.map(() => [I32])), 0]);
  const memory = [...text("env"), ...text("memory"), 2, 0, 1];
  const exported = functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)]);
  const bodies = functions.map(code).map((bytes) => [...unsigned(bytes.length), ...bytes]);
  const indices = functions.map((_, i) => unsigned(i));
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([memory])),
    ...section(3, vector(indices)),
    ...section(7, vector(exported)),
    ...section(10, vector(bodies)),
  ]);
}

const I32 = 0x7f;
const V128 = 0x7b;
const SIMD = 0xfd;

/**
 * What follows an instruction's code: nothing, a block without a result, a number, a local, a place in
 * memory, a lane.
 */
type Operand = "none" | "block" | "depth" | "local" | "constant" | "memory" | "lane";

const instructions: Readonly<Record<string, readonly [code: number, Operand]>> = {
  block: [0x02, "block"],
  loop: [0x03, "block"],
  end: [0x0b, "none"],
  br: [0x0c, "depth"],
  br_if: [0x0d, "depth"],
  "local.get": [0x20, "local"],
  "local.set": [0x21, "local"],
  "local.tee": [0x22, "local"],
  "i32.load": [0x28, "memory"],
  "i32.const": [0x41, "constant"],
  "i32.lt_u": [0x49, "none"],
  "i32.add": [0x6a, "none"],
  "i32.sub": [0x6b, "none"],
  "i32.mul": [0x6c, "none"],
};

const vectorInstructions: Readonly<Record<string, readonly [code: number, Operand]>> = {
  "v128.load": [0, "memory"],
  "v128.store": [11, "memory"],
  "i32x4.splat": [17, "none"],
  "v128.store32_lane": [90, "lane"],
  "v128.load32_zero": [92, "memory"],
  "i8x16.narrow_i16x8_u": [102, "none"],
  "i16x8.narrow_i32x4_s": [133, "none"],
  "i16x8.extend_low_i8x16_u": [137, "none"],
  "i16x8.extend_high_i8x16_u": [138, "none"],
  "i32x4.extend_low_i16x8_u": [169, "none"],
  "i32x4.extend_high_i16x8_u": [170, "none"],
  "i32x4.shr_s": [172, "none"],
  "i32x4.add": [174, "none"],
  "i32x4.mul": [181, "none"],
};

function code({ parameters, locals, body }: WasmFunction): number[] {
  const names = [...parameters, ...Object.keys(locals)];
  const declared = Object.values(locals).map((type) => [1, type === "i32" ? I32 : V128]);
  const tokens = body.split(/\s+/).filter((token) => token !== "");
  const bytes: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const isVector = token in vectorInstructions;
    const [opcode, operand] = vectorInstructions[token] ?? instructions[token] ?? unknown(token);
    bytes.push(...(isVector ? [SIMD, ...unsigned(opcode)] : [opcode]));
    if (operand === "block") bytes.push(0x40);
    else if (operand === "depth") bytes.push(...unsigned(Number(tokens[++i])));
    else if (operand === "constant") bytes.push(...signed(Number(tokens[++i])));
    else if (operand === "memory") bytes.push(0, 0);
    else if (operand === "lane") bytes.push(0, 0, Number(tokens[++i]));
    else if (operand === "local") {
      const index = names.indexOf(tokens[++i]!);
      bytes.push(...unsigned(index < 0 ? unknown(tokens[i]!) : index));
    }
  }
  return [...vector(declared), ...bytes, 0x0b];
}

function unknown(token: string): never {
  throw new Error(`the assembler does not know ${token}`);
}

function section(id: number, bytes: readonly number[]): number[] {
  return [id, ...unsigned(bytes.length), ...bytes];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(characters: string): number[] {
  return vector([...characters].map((one) => [one.charCodeAt(0)]));
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  const low = value & 127;
  const rest = value >> 7;
  const isLast = (rest === 0 && (low & 64) === 0) || (rest === -1 && (low & 64) !== 0);
  return isLast ? [low] : [low | 128, ...signed(rest)];
}
