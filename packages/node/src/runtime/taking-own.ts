import type { Feeds, Session } from "@graft-ml/core";

/** A session that is given feeds for more inputs than it has. */
export function takingOwn(session: Session, inputNames: readonly string[] = session.inputNames): Session {
  const own = (feeds: Feeds): Feeds =>
    Object.fromEntries(inputNames.flatMap((name) => (name in feeds ? [[name, feeds[name]!]] : [])));
  return {
    inputNames,
    outputNames: session.outputNames,
    run: (feeds, ...more) => session.run(own(feeds), ...more),
    bind: (feeds) => session.bind(feeds),
    close: () => session.close(),
  };
}
