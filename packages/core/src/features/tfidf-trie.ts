/**
 * Sequences of units (numbers from 0) as numbered nodes: each is its parent, the sequence without its last
 * unit, and that unit. A node costs 20 bytes or so whatever its sequence's length. Nodes 0 … roots − 1 are
 * empty sequences of their own.
 */
export class Trie {
  /** Number of nodes. */
  size: number;
  #parents: Int32Array;
  #units: Int32Array;
  /** Open addressing with linear probing: a node, or −1. */
  #slots: Int32Array;

  constructor(roots: number) {
    this.size = roots;
    this.#parents = new Int32Array(1024).fill(-1);
    this.#units = new Int32Array(1024).fill(-1);
    this.#slots = new Int32Array(2048).fill(-1);
  }

  /** The node that follows `parent` by `unit`; −1 where there is none. */
  child(parent: number, unit: number): number {
    const mask = this.#slots.length - 1;
    for (let at = slotOf(parent, unit) & mask; ; at = (at + 1) & mask) {
      const node = this.#slots[at]!;
      if (node < 0 || (this.#parents[node] === parent && this.#units[node] === unit)) return node;
    }
  }

  /** The same, made where there is none. */
  grow(parent: number, unit: number): number {
    const mask = this.#slots.length - 1;
    let at = slotOf(parent, unit) & mask;
    for (; this.#slots[at]! >= 0; at = (at + 1) & mask) {
      const node = this.#slots[at]!;
      if (this.#parents[node] === parent && this.#units[node] === unit) return node;
    }
    const node = this.size++;
    if (node === this.#parents.length) this.#enlarge();
    this.#parents[node] = parent;
    this.#units[node] = unit;
    if (2 * this.size > this.#slots.length) this.#rehash();
    else this.#slots[at] = node;
    return node;
  }

  /** The units from a root to a node. */
  path(node: number): number[] {
    const units: number[] = [];
    for (let at = node; this.#parents[at]! >= 0; at = this.#parents[at]!) units.push(this.#units[at]!);
    return units.reverse();
  }

  /** The root a node hangs from. */
  rootOf(node: number): number {
    let at = node;
    while (this.#parents[at]! >= 0) at = this.#parents[at]!;
    return at;
  }

  #enlarge(): void {
    const grown = (old: Int32Array) => {
      const larger = new Int32Array(2 * old.length).fill(-1, old.length);
      larger.set(old);
      return larger;
    };
    this.#parents = grown(this.#parents);
    this.#units = grown(this.#units);
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length).fill(-1);
    const mask = slots.length - 1;
    for (let node = 0; node < this.size; node++) {
      if (this.#parents[node]! < 0) continue;
      let at = slotOf(this.#parents[node]!, this.#units[node]!) & mask;
      while (slots[at]! >= 0) at = (at + 1) & mask;
      slots[at] = node;
    }
    this.#slots = slots;
  }
}

/** Mixes a pair into 32 bits (the finaliser of MurmurHash3, Appleby 2011, https://github.com/aappleby/smhasher). */
function slotOf(parent: number, unit: number): number {
  let hash = Math.imul(parent, 0x9e3779b1) ^ Math.imul(unit + 1, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
