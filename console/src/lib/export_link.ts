/** Link from a list to the page that exports the rows of its present filters. */

import { href } from "./router.svelte";

export function exportLink(
  resource: "records" | "ledger",
  query: Record<string, string>,
  filters: readonly string[],
): string {
  const set = Object.entries(query).filter(([name]) => filters.includes(name));
  return href("exports", { resource, ...Object.fromEntries(set) });
}
