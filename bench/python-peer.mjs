// The other side of a bench: a script of Python that reads a question a line and writes an answer of JSON a line.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The Python that has the peers (scripts/python-peers.sh makes it), or GRAFT_PYTHON. */
export const python = process.env.GRAFT_PYTHON ?? join(root, ".venv/bin/python");

/** Starts bench/SCRIPT. Questions that are no text are sent as JSON. */
export function pythonPeer(script, ...args) {
  const child = spawn(python, [join(root, "bench", script), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`bench/${script} ended without an answer`);
    return JSON.parse(value);
  };
  return {
    next,
    async ask(question) {
      child.stdin.write(`${typeof question === "string" ? question : JSON.stringify(question)}\n`);
      return await next();
    },
    stop: () => child.stdin.end(),
  };
}
