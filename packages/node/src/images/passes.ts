import { assemble, type WasmFunction } from "./assembler.ts";

/** Of each output pixel: the first input pixel, how many, and their weights times 2^22, `size` places each. */
export interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly values: Int32Array;
  readonly size: number;
}

/** Fixed point of the weights, in bits. */
export const PRECISION = 22;

/** Rows of three channels, side by side, and how they are narrowed and then shortened. */
export interface TwoPasses {
  /** [height, width, 3]. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** Across the columns. */
  readonly across: Weights;
  /** Down the rows; its first input row is row 0 of `data`. */
  readonly down: Weights;
}

/**
 * Both passes of a resampling, columns first, to [down, across, 3]: every value is the sum of bytes times
 * weights, rounded and clamped to a byte after each pass. In WebAssembly with four sums at once, five times
 * as fast as a loop in JavaScript; the arithmetic is of whole numbers, so the result is the same.
 */
export function twoPasses({ data, width, height, across, down }: TwoPasses): Uint8Array {
  const columns = across.starts.length;
  const rows = down.starts.length;
  let end = 0;
  const room = (bytes: number) => {
    const at = end;
    end += Math.ceil((bytes + SLACK) / 16) * 16;
    return at;
  };
  const source = room(data.length);
  const middle = room(columns * height * 3);
  const out = room(columns * rows * 3);
  const places = [across, down].map(({ starts, counts, values }) =>
    [starts, counts, values].map((list) => ({ list, at: room(list.byteLength) })),
  );
  const { memory, narrow, shorten } = kernelOf(end);
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(data, source);
  for (const { list, at } of places.flat()) new Int32Array(memory.buffer, at, list.length).set(list);
  const [a, d] = places.map((three) => three.map(({ at }) => at));
  narrow(source, middle, columns, height, width * 3, a![0]!, a![1]!, a![2]!, across.size * 4);
  shorten(middle, out, columns * 3, rows, d![0]!, d![1]!, d![2]!, down.size * 4);
  return bytes.slice(out, out + columns * rows * 3);
}

/** Reads and writes of 16 bytes may reach beyond the end of a list. */
const SLACK = 16;

/** What is used of WebAssembly, which the types of Node leave out. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Memory: new (size: { initial: number }) => Memory;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
};

interface Memory {
  readonly buffer: ArrayBuffer;
}

interface Kernel {
  readonly memory: Memory;
  narrow(...places: number[]): void;
  shorten(...places: number[]): void;
}

const PAGE = 2 ** 16;
/** Images that need more get memory of their own, which is let go of. */
const KEPT = 2 ** 23;
let module: object | null = null;
let kept: Kernel | null = null;

function kernelOf(bytes: number): Kernel {
  if (bytes > KEPT) return instantiate(bytes);
  kept ??= instantiate(KEPT);
  return kept;
}

function instantiate(bytes: number): Kernel {
  module ??= new WebAssembly.Module(assemble([narrow, shorten]));
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE) });
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, ...(exports as Pick<Kernel, "narrow" | "shorten">) };
}

const HALF = 1 << (PRECISION - 1);
const shifted = (sums: string) => `local.get ${sums} i32.const ${PRECISION} i32x4.shr_s`;
/** Adds to `sums` four of the bytes in `half`, eight places of 16 bits, times `factor`. */
const added = (sums: string, half: string, part: "low" | "high") => `
  local.get ${half} i32x4.extend_${part}_i16x8_u local.get factor i32x4.mul
  local.get ${sums} i32x4.add local.set ${sums}`;

/** Rows [height, …, 3] to rows [height, columns, 3]; `stride` bytes a row, `size` bytes of weights a column. */
const narrow: WasmFunction = {
  name: "narrow",
  parameters: ["source", "to", "columns", "height", "stride", "starts", "counts", "values", "size"],
  locals: { x: "i32", at: "i32", weight: "i32", last: "i32", sums: "v128" },
  body: `
    loop
      i32.const 0 local.set x
      loop
        local.get starts local.get x i32.const 4 i32.mul i32.add i32.load
        i32.const 3 i32.mul local.get source i32.add local.set at
        local.get values local.get x local.get size i32.mul i32.add local.tee weight
        local.get counts local.get x i32.const 4 i32.mul i32.add i32.load
        i32.const 4 i32.mul i32.add local.set last
        i32.const ${HALF} i32x4.splat local.set sums
        block
          loop
            local.get weight local.get last i32.lt_u
            i32.const 1 i32.lt_u br_if 1
            local.get at v128.load32_zero i16x8.extend_low_i8x16_u i32x4.extend_low_i16x8_u
            local.get weight i32.load i32x4.splat i32x4.mul
            local.get sums i32x4.add local.set sums
            local.get at i32.const 3 i32.add local.set at
            local.get weight i32.const 4 i32.add local.set weight
            br 0
          end
        end
        ${shifted("sums")} local.tee sums local.get sums i16x8.narrow_i32x4_s local.set sums
        local.get to local.get sums local.get sums i8x16.narrow_i16x8_u v128.store32_lane 0
        local.get to i32.const 3 i32.add local.set to
        local.get x i32.const 1 i32.add local.tee x
        local.get columns i32.lt_u br_if 0
      end
      local.get source local.get stride i32.add local.set source
      local.get height i32.const 1 i32.sub local.set height
      i32.const 0 local.get height i32.lt_u br_if 0
    end`,
};

/** Rows of `stride` bytes to `rows` rows of as many; `size` bytes of weights a row. */
const shorten: WasmFunction = {
  name: "shorten",
  parameters: ["source", "to", "stride", "rows", "starts", "counts", "values", "size"],
  locals: {
    ...{ x: "i32", at: "i32", weight: "i32", last: "i32", bytes: "v128", factor: "v128" },
    ...{ a: "v128", b: "v128", c: "v128", d: "v128" },
  },
  body: `
    loop
      local.get values local.get counts i32.load i32.const 4 i32.mul i32.add local.set last
      i32.const 0 local.set x
      loop
        i32.const ${HALF} i32x4.splat local.tee a local.tee b local.tee c local.set d
        local.get starts i32.load local.get stride i32.mul local.get source i32.add
        local.get x i32.add local.set at
        local.get values local.set weight
        block
          loop
            local.get weight local.get last i32.lt_u
            i32.const 1 i32.lt_u br_if 1
            local.get weight i32.load i32x4.splat local.set factor
            local.get at v128.load local.tee bytes i16x8.extend_high_i8x16_u
            local.get bytes i16x8.extend_low_i8x16_u local.set bytes
            ${added("a", "bytes", "low")}
            ${added("b", "bytes", "high")}
            local.set bytes
            ${added("c", "bytes", "low")}
            ${added("d", "bytes", "high")}
            local.get at local.get stride i32.add local.set at
            local.get weight i32.const 4 i32.add local.set weight
            br 0
          end
        end
        local.get to local.get x i32.add
        ${shifted("a")} ${shifted("b")} i16x8.narrow_i32x4_s
        ${shifted("c")} ${shifted("d")} i16x8.narrow_i32x4_s
        i8x16.narrow_i16x8_u v128.store
        local.get x i32.const 16 i32.add local.tee x
        local.get stride i32.lt_u br_if 0
      end
      local.get to local.get stride i32.add local.set to
      local.get starts i32.const 4 i32.add local.set starts
      local.get counts i32.const 4 i32.add local.set counts
      local.get values local.get size i32.add local.set values
      local.get rows i32.const 1 i32.sub local.set rows
      i32.const 0 local.get rows i32.lt_u br_if 0
    end`,
};
