import { open } from "node:fs/promises";
import { type FeatureBlocks, InputError, matrix, readNpyHeader } from "@graft-ml/core";

/**
 * Features [N, D] of .npy files (float32, [rows, D] each), one after the other, read block by block as often
 * as asked for: the shards of `graft extract` in order. A block ends where a file does. Throws an InputError
 * that names a file that holds something else or becomes shorter.
 */
export async function npyBlocks(paths: readonly string[]): Promise<FeatureBlocks> {
  if (paths.length === 0) throw new InputError("there is no .npy file to read features from; name one");
  const files = await Promise.all(paths.map(shardOf));
  const columns = files[0]!.columns;
  const other = files.find((file) => file.columns !== columns);
  if (other !== undefined)
    throw new InputError(
      `${other.path} has ${other.columns} features a row, ${paths[0]} has ${columns}; name files of one extraction`,
    );
  return {
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    columns,
    async *blocks(size) {
      for (const { path, rows, start } of files) {
        const file = await open(path);
        try {
          for (let at = 0; at < rows; at += size) {
            const block = matrix(Math.min(size, rows - at), columns);
            const bytes = new Uint8Array(block.data.buffer);
            const { bytesRead } = await file.read(bytes, 0, bytes.length, start + at * columns * 4);
            if (bytesRead !== bytes.length) throw new InputError(`${path} became shorter; write it again`);
            yield block;
          }
        } finally {
          await file.close();
        }
      }
    },
  };
}

/** Bytes that hold every header. */
const HEADER = 4096;

async function shardOf(path: string) {
  const file = await open(path).catch((error: Error) => {
    throw new InputError(`${path} is not read: ${error.message}`, { cause: error });
  });
  try {
    const { size } = await file.stat();
    const head = new Uint8Array(Math.min(size, HEADER));
    await file.read(head, 0, head.length, 0);
    const { dtype, shape, start } = readNpyHeader(head, path);
    const [rows, columns] = shape;
    if (dtype !== "float32" || shape.length !== 2 || columns === 0)
      throw new InputError(
        `${path} holds ${dtype} [${shape.join(", ")}]; float32 [rows, columns] was expected`,
      );
    if (size !== start + 4 * rows! * columns!)
      throw new InputError(
        `${path} has ${size} bytes where [${shape.join(", ")}] takes ${start + 4 * rows! * columns!}; write it again`,
      );
    return { path, rows: rows!, columns: columns!, start };
  } finally {
    await file.close();
  }
}
