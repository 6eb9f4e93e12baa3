/** A list that grows by its cursor while the reader scrolls. */

import { type ListName, type ListQuery, readPage, type Row } from "../api/lists";
import { type ApiError, asApiError } from "../api/problem";
import { Latest } from "./latest";

const PAGE_SIZE = "50";

/** Return the rows that are not among others. */
function without<R extends { id: string }>(rows: readonly R[], others: readonly R[]): R[] {
  const ids = new Set(others.map((row) => row.id));
  return rows.filter((row) => !ids.has(row.id));
}

export class List<N extends ListName> {
  rows = $state.raw<Row<N>[]>([]);
  error = $state.raw<ApiError | null>(null);
  isLoading = $state(false);
  /** Whether the first page has been read. */
  isReady = $state(false);
  hasMore = $state(false);
  /** Whether the page that was read last has no rows. A search may find some on a later page. */
  isLastPageEmpty = $state(false);

  #cursor: string | null = null;
  #query: ListQuery = {};
  #run = 0;
  readonly #refreshes = new Latest();

  /** `of` is the webhook of `deliveries`. */
  constructor(
    readonly name: N,
    readonly of = "",
  ) {}

  /** Read the first page of a query. */
  async load(query: ListQuery): Promise<void> {
    this.#query = query;
    this.#cursor = null;
    this.#run += 1;
    await this.#read((rows) => rows);
  }

  /** Read the next page, unless a page is being read. */
  async more(): Promise<void> {
    if (!this.isLoading && this.hasMore) {
      // A row whose sorted value changes meanwhile may be on two pages.
      await this.#read((rows) => [...without(this.rows, rows), ...rows]);
    }
  }

  /** Read the first page again, because an action removed or moved rows. */
  reload(): Promise<void> {
    return this.load(this.#query);
  }

  /** Read the first page again and keep the rows below it, for lists that change while they are shown. */
  async refresh(): Promise<void> {
    // The rows of an unfinished first read would replace newer ones, so begin it again.
    if (this.isLoading && !this.#cursor) return this.reload();
    const run = this.#run;
    const refresh = this.#refreshes.begin();
    const page = await readPage(this.name, { ...this.#query, page_size: PAGE_SIZE }, this.of).catch(
      () => null,
    );
    if (!page || run !== this.#run || !this.#refreshes.accept(refresh)) return;
    this.rows = [...page.rows, ...without(this.rows, page.rows)];
  }

  /** Replace a row that an action changed. */
  replace(row: Row<N>): void {
    this.rows = this.rows.map((old) => (old.id === row.id ? row : old));
  }

  async #read(merge: (rows: Row<N>[]) => Row<N>[]): Promise<void> {
    const run = this.#run;
    this.isLoading = true;
    this.error = null;
    try {
      const cursor: ListQuery = this.#cursor ? { cursor: this.#cursor } : {};
      const query = { ...this.#query, ...cursor, page_size: PAGE_SIZE };
      const page = await readPage(this.name, query, this.of);
      if (run !== this.#run) return; // another query began meanwhile
      this.rows = merge(page.rows);
      this.isLastPageEmpty = !page.rows.length;
      this.#cursor = page.nextCursor;
      this.hasMore = page.nextCursor !== null;
      this.isReady = true;
    } catch (error) {
      if (run === this.#run) this.error = asApiError(error);
    } finally {
      if (run === this.#run) this.isLoading = false;
    }
  }
}
