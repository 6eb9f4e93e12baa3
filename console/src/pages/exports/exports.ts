/** What can be exported, and the requests of exports. */

import { api, data, type Schemas } from "../../api/client";
import { download } from "../../lib/download";

export type Export = Schemas["Export"];
export type NewExport = Schemas["NewExport"];
type Resource = Schemas["ExportResource"];

interface ResourceInfo {
  label: string;
  fields: readonly string[];
  /** The filter that the form offers besides the dates. Links to the page may add any others. */
  choice: { name: string; label: string };
}

export const RESOURCES: Record<Resource, ResourceInfo> = {
  records: {
    label: "History",
    fields: [
      "id",
      "user_id",
      "operation_id",
      "operation",
      "arguments",
      "operation_response",
      "amount",
      "user_balance",
      "date",
      "task_id",
      "task_row",
      "deleted_at",
      "refunded_at",
      "refund_id",
    ],
    choice: { name: "operation", label: "Operation" },
  },
  ledger: {
    label: "Statement",
    fields: ["id", "user_id", "kind", "amount", "balance_before", "balance_after", "reference", "date"],
    choice: { name: "kind", label: "Kind" },
  },
};

export const FORMATS: Record<Schemas["ExportFormat"], string> = { csv: "CSV", jsonl: "JSON Lines" };

const OPERATORS: Record<string, string> = {
  gte: "≥",
  lte: "≤",
  gt: ">",
  lt: "<",
  in: "is one of",
  like: "is like",
};

/** Return a filter such as `amount__gte=5` as "amount ≥ 5". */
export function readable(name: string, value: string): string {
  const [field = "", operator = ""] = name.split("__");
  return `${field.replaceAll("_", " ")} ${OPERATORS[operator] ?? "is"} ${value}`;
}

/** The parameters of a list that are not filters, so that an export has no use for them. */
const NOT_FILTERS = new Set([
  "resource",
  "format",
  "fields",
  "sort",
  "search",
  "cursor",
  "page",
  "page_size",
  "status",
]);

/** Return the filters in the query of a link to the page. */
export function filtersOf(query: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).filter(([name]) => !NOT_FILTERS.has(name)));
}

export function isChanging({ status }: Pick<Export, "status">): boolean {
  return status === "queued" || status === "processing";
}

export function createExport(body: NewExport, key: string): Promise<Export> {
  return data(api.POST("/api/v1/exports", { body, headers: { "Idempotency-Key": key } }));
}

export async function downloadExport(id: string): Promise<void> {
  const { url } = await data(api.GET("/api/v1/exports/{id}", { params: { path: { id } } }));
  if (url) download(url);
}
