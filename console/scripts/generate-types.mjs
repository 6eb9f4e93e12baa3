// Write src/api/schema.ts, the types of docs/openapi.json.
import { readFile, writeFile } from "node:fs/promises";

import openapiTS, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../docs/openapi.json", import.meta.url);
const TARGET = new URL("../src/api/schema.ts", import.meta.url);

const document = JSON.parse(await readFile(DOCUMENT, "utf-8"));
// The console sends `Prefer: money=string` with every request, so that no money becomes a float.
document.components.schemas.Credits = { type: "string" };
await writeFile(TARGET, astToString(await openapiTS(document)));
