/**
 * The input or the model is at fault, not the program: the message names the thing, what it got, what it expected and
 * what to do. The command line prints it alone, without a stack trace, and exits with 1.
 */
export class InputError extends Error {
  override readonly name = "InputError";
}
