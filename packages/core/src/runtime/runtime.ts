import type { Tensor } from "../tensor.ts";

/** Tensors for the inputs of a model, by name. */
export type Feeds = Readonly<Record<string, Tensor>>;
/** The outputs of a run, by name. */
export type Results = Record<string, Tensor>;

/** An executable model. Runs queue up: a second call starts when the first is done. */
export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Executes the model. `feeds` over bound tensors must cover every input; `fetches` names the outputs
   * wanted, all when left out. The given tensors are not changed (and must not be until the run is done); the
   * results belong to the caller.
   */
  run(feeds: Feeds, fetches?: readonly string[], options?: RunOptions): Promise<Results>;
  /** Keeps tensors beside the session, to be fed to every later run without copying them again (null lets go). */
  bind(feeds: Readonly<Record<string, Tensor | null>>): Promise<void>;
  close(): Promise<void>;
}

/** How one run treats its tensors. */
export interface RunOptions {
  /** Gives the feeds' memory away, which saves a copy: their arrays may be empty afterwards. */
  readonly transfer?: boolean;
  /**
   * Results that nobody reads any more: their memory may take those of this run of the same names, and their
   * arrays may be empty afterwards.
   */
  readonly into?: Results;
}

/** How a model is made executable. */
export interface LoadOptions {
  /** Files that external data refers to, by location. */
  readonly externalData?: Readonly<Record<string, Uint8Array>>;
  /** Trade of start-up against speed; "all" by default. */
  readonly optimization?: "none" | "basic" | "extended" | "all";
  /** Optimizers left out, by the runtime's own names: to look through a large graph for nothing takes time. */
  readonly without?: readonly string[];
}

/** Something that executes ONNX models: ONNX Runtime in a worker thread under Node, onnxruntime-web in a browser. */
export interface Runtime {
  readonly device: string;
  /** Runs of one session executed at the same time; 1 where it does not say. */
  readonly lanes?: number;
  load(model: Uint8Array, options?: LoadOptions): Promise<Session>;
  close(): Promise<void>;
}
