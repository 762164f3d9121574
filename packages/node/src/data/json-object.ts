export type Fields = Readonly<Record<string, unknown>>;

/** The object of a line of JSON, or what is wrong with it. */
export function objectOf(text: string): Fields | string {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
    return `is JSON but no object: ${text.slice(0, 40)}`;
  } catch (error) {
    return `is no JSON (${(error as Error).message.slice(0, 120)}); correct the line`;
  }
}
