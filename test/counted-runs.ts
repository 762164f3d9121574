import type { Runtime } from "../packages/core/src/runtime/runtime.ts";

/** A runtime that says it has lanes, and how many of its runs were under way together at most. */
export function countedRuns(runtime: Runtime, lanes: number) {
  const most = { now: 0, ever: 0 };
  const wide: Runtime = {
    ...runtime,
    lanes,
    async load(...given) {
      const session = await runtime.load(...given);
      return {
        ...session,
        async run(...feeds) {
          most.ever = Math.max(most.ever, ++most.now);
          try {
            return await session.run(...feeds);
          } finally {
            most.now--;
          }
        },
      };
    },
  };
  return { wide, most };
}
