import { Worker } from "node:worker_threads";

/** Questions to a worker thread, and its answers. */
export interface Connection {
  /** Sends a request, moving `buffers`, and gives the answer; rejects with the cause where the thread dies first. */
  ask(verb: string, request: object, buffers: readonly ArrayBuffer[]): Promise<unknown>;
  /** Runs `work` when fewer than `width` others are under way, in the order of the calls. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  alive(): boolean;
  /** Lets requests already sent finish, then ends the thread. Safe to call twice. */
  stop(): Promise<void>;
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Starts the script at `url` in a thread, which keeps the process alive only while an answer is due. */
export function connect(url: URL, width: number): Connection {
  // Flags of the process (a loader, a debugger) are not meant for this thread.
  const worker = new Worker(url, { execArgv: [], name: "graft-runtime" });
  const pending = new Map<number, Pending>();
  const waiting: (() => void)[] = [];
  let asked = 0;
  let running = 0;
  let dead: Error | null = null;
  let stopping: Promise<void> | null = null;

  const die = (error: Error) => {
    dead ??= error;
    for (const { reject } of pending.values()) reject(dead);
    pending.clear();
  };
  worker.on("message", ({ id, value, error }) => {
    const asker = pending.get(id);
    if (asker === undefined) return;
    pending.delete(id);
    if (pending.size === 0) worker.unref();
    if (error === undefined) asker.resolve(value);
    else asker.reject(Object.assign(new Error(error.message), { cause: error.stack }));
  });
  worker.on("messageerror", (cause) =>
    die(new Error("an answer of the runtime's thread is unreadable", { cause })),
  );
  worker.on("error", (cause) =>
    die(new Error(`the runtime's thread failed: ${(cause as Error)?.message ?? cause}`, { cause })),
  );
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      die(
        new Error(
          stopping === null ? `the runtime's thread ended with code ${code}` : "the runtime is closed",
        ),
      );
      resolve();
    });
  });
  worker.unref();

  const connection: Connection = {
    ask(verb, request, buffers) {
      return new Promise((resolve, reject) => {
        if (dead !== null) return reject(dead);
        if (stopping !== null && verb !== "stop") return reject(new Error("the runtime is closed"));
        const id = asked++;
        worker.postMessage({ ...request, id, verb }, buffers as ArrayBuffer[]);
        if (pending.size === 0) worker.ref();
        pending.set(id, { resolve, reject });
      });
    },
    async inTurn(work) {
      if (running >= width) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next();
      }
    },
    alive: () => dead === null,
    stop() {
      stopping ??= (async () => {
        await Promise.resolve(); // `stopping` is set before the request is made
        await connection.ask("stop", {}, []).catch(() => {}); // a thread that died needs no stopping
        await worker.terminate();
        await exited;
      })();
      return stopping;
    },
  };
  return connection;
}
