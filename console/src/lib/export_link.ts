/** Link from a list to the page that exports the rows of its present filters. */

import type { Filter } from "../components/list/types";
import { href } from "./router.svelte";

export function exportLink(
  resource: "records" | "ledger",
  query: Record<string, string>,
  filters: readonly Filter[],
): string {
  const set = Object.entries(query).filter(([name]) => filters.some((filter) => filter.name === name));
  return href("exports", { resource, ...Object.fromEntries(set) });
}
