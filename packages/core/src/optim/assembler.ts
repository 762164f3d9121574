import { type Code, f32x4, i32, type WasmFunction, wasmModule } from "../wasm.ts";

/** A loop: the arrays and numbers it is given, and what it does with four elements of each array. */
export interface Loop {
  readonly arrays: readonly string[];
  readonly numbers: readonly string[];
  /** Names of vectors that `body` sets. */
  readonly vectors: readonly string[];
  /** Writes the statements. `get` reads an array's elements, a number in all four places, or a vector. */
  body(get: (name: string) => Code, set: (name: string, value: Code) => void): void;
}

/**
 * The module with one exported function a loop. It imports its memory ("m" of ""); a function takes the
 * addresses of its arrays, of the end of the first one, then its numbers. Addresses are multiples of 16.
 */
export function assemble(loops: Readonly<Record<string, Loop>>): Uint8Array<ArrayBuffer> {
  return wasmModule(
    Object.fromEntries(Object.entries(loops).map(([name, loop]) => [name, functionOf(loop)])),
  );
}

function functionOf({ arrays, numbers, vectors, body }: Loop): WasmFunction {
  return {
    parameters: [...arrays.map(() => "i32" as const), "i32", ...numbers.map(() => "f32" as const)],
    body(f, ...given) {
      const addresses = new Map(arrays.map((name, i) => [name, given[i]!]));
      const end = given[arrays.length]!;
      const held = new Map([...numbers, ...vectors].map((name) => [name, f.local("v128")]));
      for (const [i, name] of numbers.entries())
        f.set(held.get(name)!, f32x4.splat(given[arrays.length + 1 + i]!));
      const get = (name: string): Code => {
        const address = addresses.get(name);
        return address === undefined ? held.get(name)! : f32x4.load(address);
      };
      const set = (name: string, value: Code) => {
        const address = addresses.get(name);
        if (address === undefined) f.set(held.get(name)!, value);
        else f.run(f32x4.store(address, value));
      };
      const isBefore = () => i32.below(given[0]!, end);
      f.when(isBefore(), () =>
        f.loop(() => {
          body(get, set);
          for (const address of addresses.values()) f.set(address, i32.add(address, i32.of(16)));
        }, isBefore),
      );
    },
  };
}
