/** A plugin of Swagger UI that resolves references.
 *
 * Swagger UI's own resolver converts the whole document for each route that the reader opens. That takes a second
 * of processor time, and this document needs only the references within itself.
 */

import type { Plugin } from "swagger-ui-dist/swagger-ui-es-bundle.js";

export const references: Plugin = () => ({ fn: { resolveSubtree } });

/** Return the part of a document at a path, with the referenced schemas and responses in place. */
async function resolveSubtree(document: unknown, path: string[]): Promise<object> {
  return { spec: inline(at(document, path), document, []), errors: [] };
}

/** Replace the references in a node, but not those to a schema that contains the node. */
function inline(node: unknown, document: unknown, within: string[]): unknown {
  if (Array.isArray(node)) return node.map((item) => inline(item, document, within));
  if (typeof node !== "object" || node === null) return node;
  const { $ref } = node as { $ref?: unknown };
  if (typeof $ref === "string" && !within.includes($ref)) {
    return inline(at(document, $ref.split("/").slice(1)), document, [...within, $ref]);
  }
  return Object.fromEntries(
    Object.entries(node).map(([name, member]) => [name, inline(member, document, within)]),
  );
}

function at(node: unknown, path: string[]): unknown {
  return path.reduce((parent, name) => (parent as Record<string, unknown> | undefined)?.[name], node);
}
