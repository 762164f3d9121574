// What every JavaScript platform has beyond the language: declared here, so that the core needs neither DOM
// nor Node types.
export {};

declare global {
  class TextEncoder {
    encode(text: string): Uint8Array<ArrayBuffer>;
  }
  class TextDecoder {
    constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
    decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
  }
  class DecompressionStream {
    constructor(format: "deflate-raw");
    readonly writable: {
      getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
    };
    readonly readable: {
      getReader(): {
        read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>;
        cancel(): Promise<void>;
      };
    };
  }
  namespace WebAssembly {
    class Module {
      constructor(bytes: Uint8Array<ArrayBuffer>);
    }
    class Memory {
      /** Of pages of 64 KiB; a shared one has a SharedArrayBuffer, which other threads see. */
      constructor(size: { initial: number; maximum: number; shared?: boolean });
      readonly buffer: ArrayBuffer;
    }
    class Instance {
      constructor(module: Module, imports: Record<string, Record<string, Memory>>);
      readonly exports: Record<string, unknown>;
    }
    function validate(bytes: Uint8Array<ArrayBuffer>): boolean;
  }
}
