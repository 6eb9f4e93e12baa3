// Write the TypeScript types of an OpenAPI document: `node generate.mjs openapi.json schema.d.ts`.
// openapi-typescript types a binary file as a string unless its `transform` does otherwise (its documented recipe).
import { readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

const [document, types] = process.argv.slice(2);
const BLOB = ts.factory.createTypeReferenceNode("Blob");
const nodes = await openapiTS(JSON.parse(await readFile(document, "utf-8")), {
  transform: (schema) => (schema.format === "binary" ? BLOB : undefined),
});
await writeFile(types, astToString(nodes));
