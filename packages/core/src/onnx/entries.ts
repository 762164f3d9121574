import type { ProtoReader, ProtoWriter } from "./protobuf.ts";
import { ENTRY } from "./schema.ts";

/** Adds one StringStringEntryProto to `entries`. */
export function readEntries(reader: ProtoReader, entries: Map<string, string>): void {
  const [key, value] = readPair(reader.message());
  entries.set(key, value);
}

/** A StringStringEntryProto as key and value. */
export function readPair(reader: ProtoReader): [string, string] {
  let key = "";
  let value = "";
  for (let field = reader.next(); field; field = reader.next()) {
    if (field === ENTRY.key) key = reader.string();
    else if (field === ENTRY.value) value = reader.string();
    else reader.unknown();
  }
  return [key, value];
}

export function writeEntries(
  writer: ProtoWriter,
  field: number,
  entries: Iterable<readonly [string, string]> | undefined,
): void {
  for (const [key, value] of entries ?? [])
    writer.message(field, (inner) => {
      inner.string(ENTRY.key, key);
      inner.string(ENTRY.value, value);
    });
}
