import { InputError } from "@graft-ml/core";

/** A piece of HTML that is safe to put into a page. Only `html` makes one. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template: text and numbers are escaped, null and false are nothing. */
export type Content = Markup | string | number | null | undefined | false | readonly Content[];

/** HTML (and SVG) from a template. Everything put in is escaped unless it came from `html` itself. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Markup {
  let text = parts[0]!;
  for (const [i, value] of values.entries()) text += rendered(value) + parts[i + 1]!;
  return new Markup(text);
}

function rendered(value: Content): string {
  if (value === null || value === undefined || value === false) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(rendered).join("");
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Text as it may stand in an element or a quoted attribute. Controls, also those that turn the direction,
 * become �.
 */
export function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** Text without control characters, reversed directions and lone surrogates, each of them replaced by �. */
export function printable(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) =>
      character === "\n" || character === "\t" ? character : "\ufffd",
    );
}

/** The URI if it is a small picture in itself; anything else would be fetched, or run. */
export function pictureUri(uri: string, where: string): string {
  if (!/^data:image\/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}$/.test(uri)) {
    throw new InputError(
      `report: the picture of ${where} is "${uri.slice(0, 40)}"; expected data:image/png;base64,… (or jpeg, webp, gif)`,
    );
  }
  return uri;
}
