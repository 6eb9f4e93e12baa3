import type { Schemas } from "../../api/client";

/** The kinds of movements in a statement. */
export const LEDGER_KINDS: readonly string[] = [
  "opening",
  "charge",
  "batch",
  "grant",
  "adjustment",
  "refund",
] satisfies Schemas["LedgerKind"][];
