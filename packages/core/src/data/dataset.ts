/**
 * Where the input of a row is. Images stay in their files until needed, so a data set of any size fits in memory.
 * `raw` images are uncompressed bytes inside a (possibly compressed) file, as in IDX: [height, width, channels] uint8
 * from byte `offset` of the file once unpacked.
 */
export type Input =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "image"; readonly path: string }
  | {
      readonly kind: "raw";
      readonly path: string;
      readonly offset: number;
      readonly height: number;
      readonly width: number;
      readonly channels: number;
    };

/** The part a row stands in where the data themselves say so. */
export type Split = "train" | "val" | "test";

/**
 * The tokens of a row of a token data set, whose input is the sentence as text. `tags` holds one a token;
 * null where the row is unlabelled.
 */
export interface TaggedTokens {
  readonly texts: readonly string[];
  readonly tags: readonly string[] | null;
  /** Where each token starts in the row's text, in UTF-16 units; a token is as long as its text. */
  readonly starts: Int32Array;
  /**
   * The lines the row was read from, and in which of them each token stands; kept where predictions are
   * written back.
   */
  readonly lines?: readonly string[];
  readonly places?: Int32Array;
}

/** One example. `where` names it for people: "messages.csv row 17" or "train/ants/1.jpg". */
export interface Row {
  readonly where: string;
  readonly input: Input;
  /** Class name; null where the row is unlabelled. */
  readonly label: string | null;
  readonly split: Split | null;
  /** Rows of one group (patient, page, author) never stand in different parts. */
  readonly group: string | null;
  readonly weight: number;
  /** The tokens where the data set tags them; `label` is then null. */
  readonly tokens?: TaggedTokens;
}

/** The columns a table was read by; null where it has none for that purpose. */
export interface Columns {
  readonly text: string | null;
  readonly image: string | null;
  readonly label: string | null;
  readonly split: string | null;
  readonly group: string | null;
  readonly weight: string | null;
}

/**
 * Rows with what is known of all of them. `classes` is sorted; `skipped` lists rows left out by `--on-error
 * skip`.
 */
export interface Dataset {
  readonly source: string;
  readonly task: "image-classification" | "text-classification" | "token-classification";
  /** Of tokens, the tags that occur. */
  readonly classes: readonly string[];
  readonly rows: readonly Row[];
  readonly skipped: readonly string[];
  /** How the source was understood: the format's name, and for tables the columns and the encoding of the file. */
  readonly format?: string;
  readonly columns?: Columns;
  readonly encoding?: string;
  /** What a person should know of how it was read: columns guessed, files left out, blank lines passed over. */
  readonly notes?: readonly string[];
}
