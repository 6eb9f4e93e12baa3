/** The OpenAPI document as the viewer shows it. */

import { api, data } from "../api/client";

interface Operation {
  parameters?: { name: string; schema: { type?: unknown }; example?: unknown }[];
  security?: unknown;
}
interface OpenApi {
  info: { description: string };
  servers?: unknown;
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes?: unknown };
}

const INTRODUCTION = `To try a route, sign in or use an API key, and press *Execute* in it. The page sends the
CSRF token and refreshes the session. Client generators read the [OpenAPI document](/openapi.json).`;

/** Return the document without what the page itself does: choosing the server, signing in, and the CSRF token. */
export async function readDocument(): Promise<OpenApi> {
  const document = (await data(api.GET("/openapi.json"))) as unknown as OpenApi;
  document.info.description += `\n\n${INTRODUCTION}`;
  delete document.servers;
  delete document.components.securitySchemes;
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) {
      delete operation.security;
      operation.parameters = operation.parameters?.filter(({ name }) => name !== "X-CSRF-TOKEN");
      // Swagger UI would fill in invented members, and the API rejects them.
      for (const parameter of operation.parameters ?? []) {
        if (parameter.schema.type === "object") parameter.example = {};
      }
    }
  }
  return document;
}
