/** Runs one command; returns the exit code: 0 done, 1 the input or the model is at fault, 2 wrong usage. */
export async function main(argv: readonly string[]): Promise<number> {
  process.stderr.write(`graft: there is no command ${JSON.stringify(argv[0] ?? "")}\n`);
  return 2;
}
