/** The operations that the service implements, from the OpenAPI document that it serves. */

import type { Schemas } from "../api/client";
import { errorOf } from "../api/problem";

export interface Operation {
  type: Schemas["OperationType"];
  summary: string;
  minArguments: number;
  maxArguments: number;
}

interface Document {
  components: { schemas: { OperationType: { "x-operations": Operation[] } } };
}

let operations: Promise<Operation[]> | null = null;

/** Return all operations. The document is read once. Throws ApiError. */
export function implemented(): Promise<Operation[]> {
  operations ??= read().catch((error: unknown) => {
    operations = null;
    throw error;
  });
  return operations;
}

async function read(): Promise<Operation[]> {
  const response = await fetch("/openapi.json");
  if (!response.ok) throw errorOf(response, null);
  const document = (await response.json()) as Document;
  return document.components.schemas.OperationType["x-operations"];
}

/** Return an operation's name as people write it. */
export function title(type: string): string {
  const text = type.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Return "2 numbers" or "2 to 100 numbers". */
export function arity({ minArguments: low, maxArguments: high }: Operation): string {
  if (high === 0) return "no numbers";
  const count = low === high ? String(low) : `${low} to ${high}`;
  return `${count} ${high === 1 ? "number" : "numbers"}`;
}
