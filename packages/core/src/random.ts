/**
 * A seeded source of random numbers. The same seed gives the same numbers on every machine; nothing in Graft calls
 * `Math.random`.
 */
export interface Random {
  /** Uniform in [0, 1), with 53 random bits. */
  uniform(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** Standard normal deviate. */
  normal(): number;
  /** The numbers 0 … n − 1 in random order. */
  permutation(n: number): Int32Array;
  /** An independent source named by `label`: drawing from one does not move the other. */
  fork(label: string | number): Random;
  /** The state, to be given back to `restoreRandom`: four 32-bit words. */
  state(): readonly number[];
}

/** xoshiro128** (Blackman and Vigna 2018, https://prng.di.unimi.it), seeded through SplitMix32. */
export function random(seed: number): Random {
  let mix = seed >>> 0;
  const next = () => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix ^ (mix >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  // Seeds beyond 32 bits still differ: the high word is mixed in afterwards.
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  return restoreRandom([next() ^ high, next(), next(), next() | 1]);
}

/** A source that goes on from a state read with `state()`. */
export function restoreRandom(state: readonly number[]): Random {
  let [a, b, c, d] = state.map((word) => word >>> 0) as [number, number, number, number];
  const bits = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  const source: Random = {
    uniform: () => ((bits() >>> 5) * 67108864 + (bits() >>> 6)) / 9007199254740992,
    integer(bound) {
      if (!(bound >= 1 && bound <= 2 ** 53))
        throw new RangeError(`random integer needs a bound from 1, got ${bound}`);
      return Math.floor(source.uniform() * bound);
    },
    normal() {
      // Box and Muller 1958; the second deviate is dropped so that the state alone says what comes next.
      const radius = Math.sqrt(-2 * Math.log(1 - source.uniform()));
      return radius * Math.cos(2 * Math.PI * source.uniform());
    },
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = source.integer(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
    fork(label) {
      let hash = 0x811c9dc5;
      for (const char of `${a},${b},${c},${d}/${label}`)
        hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193);
      return random((hash >>> 0) + (a >>> 0) * 2 ** 20);
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
  return source;
}

function rotate(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0;
}
