/** Draws words as often as their counts to the power of ¾ have it (Mikolov et al. 2013), in constant time. */
export interface Noise {
  /** For each place the chance, of 2³², that it stands for itself … */
  readonly kept: Uint32Array;
  /** … and the word it stands for otherwise [V]. */
  readonly other: Int32Array;
}

/** Walker's alias table (1977), as Vose (1991) fills it. */
export function noiseOf(counts: Float64Array, power = 0.75): Noise {
  const n = counts.length;
  const weights = counts.map((count) => count ** power);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const shares = weights.map((weight) => (weight * n) / total);
  const kept = new Uint32Array(n).fill(0xffffffff);
  const other = Int32Array.from({ length: n }, (_, i) => i);
  const [small, large]: [number[], number[]] = [[], []];
  for (const [i, share] of shares.entries()) (share < 1 ? small : large).push(i);
  while (small.length > 0 && large.length > 0) {
    const [less, more] = [small.pop()!, large.at(-1)!];
    kept[less] = Math.min(0xffffffff, Math.floor(shares[less]! * 2 ** 32));
    other[less] = more;
    shares[more] = shares[more]! - (1 - shares[less]!);
    if (shares[more]! < 1) small.push(large.pop()!);
  }
  return { kept, other };
}

/** The chance to be taken at all, of 2³², of words with these counts: √(t/f) + t/f for the share f of the text. */
export function sampleChances(counts: Float64Array, sample: number): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => {
    const ratio = (sample * total) / count;
    return sample === 0 ? 2 ** 32 : Math.min(1, Math.sqrt(ratio) + ratio) * 2 ** 32;
  });
}
