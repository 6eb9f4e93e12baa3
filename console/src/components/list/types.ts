/** A column of a list. The page renders its cells by `id`. */
export interface Column {
  id: string;
  label: string;
  isNumber?: boolean;
  /** The field that sorts the list by this column. */
  sortBy?: string;
  /** Whether the reader has to choose the column before it is shown. */
  isHidden?: boolean;
}

/** A filter of a list. `name` is the API's query parameter, and the page's. */
export type Filter =
  | { kind: "choice"; name: string; label: string; choices: readonly string[] }
  | { kind: "text" | "search" | "time"; name: string; label: string; placeholder?: string };
