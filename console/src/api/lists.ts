/** Read pages of the API's lists. */

import { api, data } from "./client";
import { notFound } from "./problem";
import type { paths } from "./schema";

/** The path of each list, by the name of its rows in a page. */
const LISTS = {
  sessions: "/api/v1/sessions",
  tasks: "/api/v1/tasks",
  exports: "/api/v1/exports",
  api_keys: "/api/v1/api_keys",
  webhooks: "/api/v1/webhooks",
  deliveries: "/api/v1/webhooks/{id}/deliveries",
  operations: "/api/v1/operations",
  records: "/api/v1/records",
  users: "/api/v1/users",
  ledger: "/api/v1/ledger",
  audit_log: "/api/v1/audit_log",
} as const;

export type ListName = keyof typeof LISTS;
type Body<N extends ListName> =
  paths[(typeof LISTS)[N]]["get"]["responses"][200]["content"]["application/json"];
type RowOf<Rows> = Rows extends readonly (infer Row)[] ? Row : never;

/** A row with all its fields: the schema's are optional only because `fields` selects them. */
export type Row<N extends ListName> = Required<RowOf<NonNullable<Body<N>[N & keyof Body<N>]>>> & {
  id: string;
};

export interface Page<N extends ListName> {
  rows: Row<N>[];
  nextCursor: string | null;
}

/** Filters, `sort`, `search`, `page_size` and `cursor` of a list, as in its query string. */
export type ListQuery = Record<string, string>;

/** Return one page of a list. `of` is the webhook of `deliveries`. Throws ApiError. */
export async function readPage<N extends ListName>(name: N, query: ListQuery, of = ""): Promise<Page<N>> {
  const path: (typeof LISTS)[ListName] = LISTS[name];
  const body = await data(api.GET(path, { params: { path: { id: of }, query: query as never } }));
  const page = body as unknown as { next_cursor?: string | null } & Record<N, Row<N>[]>;
  return { rows: page[name], nextCursor: page.next_cursor ?? null };
}

/** Return one row by its id, also a deleted one. For admins. Throws ApiError. */
export async function readRow<N extends "users" | "operations">(name: N, id: string): Promise<Row<N>> {
  const [row] = (await readPage(name, { id, deleted: "true" })).rows;
  if (!row) throw notFound();
  return row;
}
