/** What an entry of the audit log changed, field by field. */

import type { Row } from "../../api/lists";
import { title } from "../../lib/operations";

export interface Change {
  field: string;
  /** Undefined if the field was not there before. */
  before: unknown;
  after: unknown;
}

/** The entry itself has the resource's id, and a creation's time. */
const KNOWN = new Set(["id", "created_at"]);

/** Return a field's name as people write it. */
export function label(field: string): string {
  return field === "email" ? "E-mail" : title(field.replace(/_id$/, ""));
}

export function changesOf(entry: Row<"audit_log">): Change[] {
  const before = (entry.before ?? {}) as Record<string, unknown>;
  const after = (entry.after ?? {}) as Record<string, unknown>;
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields
    .filter((field) => !KNOWN.has(field) && (hasValue(before[field]) || hasValue(after[field])))
    .map((field) => ({ field, before: before[field], after: after[field] }));
}

function hasValue(value: unknown): boolean {
  return value !== undefined && value !== null;
}
