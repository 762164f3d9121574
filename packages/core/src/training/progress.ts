/** How far something is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** Null until something is done. */
  readonly secondsLeft: number | null;
}

/**
 * Progress with the time left, by the pace since the first report: `now` gives milliseconds. What was done
 * before that (by an earlier run) does not count for the pace.
 */
export function progressOf(total: number, now: () => number): (done: number) => Progress {
  let first: { done: number; at: number } | null = null;
  return (done) => {
    const at = now();
    first ??= { done, at };
    const pace = done > first.done ? (at - first.at) / (done - first.done) : null;
    return { done, total, secondsLeft: pace === null ? null : (Math.max(0, total - done) * pace) / 1000 };
  };
}
