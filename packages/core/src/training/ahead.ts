/**
 * The same elements, made ahead of their use: up to `depth` are ready or under way while one is in use. An
 * error comes in its turn. Leaving the loop early ends the source.
 */
export async function* ahead<T>(
  elements: AsyncIterable<T> | Iterable<T>,
  depth: number,
): AsyncGenerator<T, void> {
  const iterator =
    Symbol.asyncIterator in elements ? elements[Symbol.asyncIterator]() : elements[Symbol.iterator]();
  const ready: Promise<IteratorResult<T>>[] = [];
  // One after the other: the next element is asked for when the one before is there.
  let last: Promise<unknown> = Promise.resolve();
  const ask = () => {
    const next = last.then(() => iterator.next());
    next.catch(() => {}); // told when it is awaited
    last = next;
    ready.push(next);
  };
  try {
    for (let i = 0; i < depth; i++) ask();
    for (;;) {
      const { value, done } = await ready.shift()!;
      if (done) return;
      ask();
      yield value;
    }
  } finally {
    await last.catch(() => {});
    await iterator.return?.();
  }
}

/** Elements by `size`, the last ones in what remains. */
export async function* inGroups<T>(elements: AsyncIterable<T>, size: number): AsyncGenerator<T[], void> {
  let group: T[] = [];
  for await (const element of elements) {
    group.push(element);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
