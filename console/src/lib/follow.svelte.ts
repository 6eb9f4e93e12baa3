/** Keep the changing rows of a list up to date. */

import { type ListName, readPage, type Row } from "../api/lists";
import type { List } from "./list.svelte";
import { repeat } from "./repeat";

const EVERY_MS = 1500;
/** The API's limit of values in `__in`. */
const ROWS_AT_ONCE = 100;

/**
 * Read the changing rows of a list again and again, only while there are some and the page is visible.
 * Call it while a component is created. `onread` receives the rows that were read.
 */
export function follow<N extends ListName>(
  list: List<N>,
  isChanging: (row: Row<N>) => boolean,
  onread: (rows: Row<N>[]) => void = () => {},
): void {
  const changing = $derived(list.rows.filter(isChanging).map((row) => row.id));
  const hasChanging = $derived(changing.length > 0);

  async function read(): Promise<void> {
    const before = list.rows;
    const ids = changing.slice(0, ROWS_AT_ONCE).join(",");
    const query = { id__in: ids, page_size: String(ROWS_AT_ONCE) };
    // After a lost connection the next repetition reads them.
    const page = await readPage(list.name, query, list.of).catch(() => null);
    if (!page) return;
    // If the list changed meanwhile, its rows may be newer: the next repetition reads those that still change.
    if (list.rows === before) for (const row of page.rows) list.replace(row);
    onread(page.rows);
  }

  $effect(() => (hasChanging ? repeat(read, EVERY_MS) : undefined));
}
