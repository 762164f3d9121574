/** A way from the root to each word through a binary tree in which common words lie near the root. */
export interface HuffmanTree {
  /** Where each word's way begins in `nodes` and `turns` [V + 1]. */
  readonly offsets: Int32Array;
  /** Inner nodes on the way, 0 … V − 2. */
  readonly nodes: Int32Array;
  /** 1 where the way turns to the rarer half. */
  readonly turns: Uint8Array;
}

/** The tree of Huffman (1952) for words in descending order of their counts, as word2vec builds it in two rows. */
export function huffmanTree(counts: Float64Array): HuffmanTree {
  const n = counts.length;
  const weight = new Float64Array(Math.max(1, 2 * n - 1)).fill(Number.POSITIVE_INFINITY);
  weight.set(counts);
  const parent = new Int32Array(2 * n);
  const turn = new Uint8Array(2 * n);
  let [word, inner] = [n - 1, n];
  const least = () => (word >= 0 && weight[word]! <= weight[inner]! ? word-- : inner++);
  for (let k = 0; k < n - 1; k++) {
    const first = least();
    const second = least();
    weight[n + k] = weight[first]! + weight[second]!;
    parent[first] = parent[second] = n + k;
    turn[second] = 1;
  }
  const root = 2 * n - 2;
  const offsets = new Int32Array(n + 1);
  const [nodes, turns]: [number[], number[]] = [[], []];
  for (let i = 0; i < n; i++) {
    const [way, taken]: [number[], number[]] = [[], []];
    for (let at = i; at !== root && n > 1; at = parent[at]!) {
      way.push(parent[at]! - n);
      taken.push(turn[at]!);
    }
    nodes.push(...way.reverse());
    turns.push(...taken.reverse());
    offsets[i + 1] = nodes.length;
  }
  return { offsets, nodes: Int32Array.from(nodes), turns: Uint8Array.from(turns) };
}
