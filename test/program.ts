import { main } from "../packages/node/src/cli/main.ts";

/** Runs the program in this process: exit code, standard output, standard error. */
export async function graft(...args: string[]) {
  const written = { out: "", err: "" };
  const code = await main(args, {
    out: { write: (text: string) => (written.out += text) },
    err: { write: (text: string) => (written.err += text) },
    now: () => performance.now(),
  });
  return { code, ...written };
}

/** The object that `--json` printed. */
export const json = ({ out }: { readonly out: string }) => JSON.parse(out.trim().split("\n").at(-1)!);
