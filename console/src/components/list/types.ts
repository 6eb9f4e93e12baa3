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
export type Filter = ChoiceFilter | TextFilter;

export interface ChoiceFilter {
  kind: "choice";
  name: string;
  label: string;
  choices: readonly (string | Choice)[];
  /** The text of no choice. */
  none?: string;
}

export interface Choice {
  value: string;
  label: string;
}

/** `contains` is a pattern of `__like` around the text. */
export interface TextFilter {
  kind: "text" | "search" | "time" | "contains";
  name: string;
  label: string;
  placeholder?: string;
}
