/** What an entry of the audit log changed, field by field. */

import type { Row } from "../../api/lists";

export interface Change {
  field: string;
  /** Undefined if the field was not there before. */
  before: unknown;
  after: unknown;
}

type Fields = Record<string, unknown>;

/** The entry itself names the resource. */
const KNOWN = new Set(["id"]);

export function changesOf(entry: Row<"audit_log">): Change[] {
  const before = (entry.before ?? {}) as Fields;
  const after = (entry.after ?? {}) as Fields;
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields
    .filter((field) => !KNOWN.has(field) && (hasValue(before[field]) || hasValue(after[field])))
    .map((field) => ({ field, before: before[field], after: after[field] }));
}

function hasValue(value: unknown): boolean {
  return value !== undefined && value !== null;
}
