/** Swagger UI, which shows the routes and a form to try each. */

import "./viewer.css";
import "./forms.css";
import "./schemas.css";

import SwaggerUI, { type ViewerRequest } from "swagger-ui-dist/swagger-ui-es-bundle.js";

import { accessible } from "./accessible";
import { access } from "./access.svelte";
import { readDocument } from "./document";
import { references } from "./references";

/** Show the API's document in an element. Throws ApiError. */
export async function show(domNode: HTMLElement): Promise<void> {
  SwaggerUI({
    domNode,
    spec: await readDocument(),
    plugins: [accessible, references],
    requestInterceptor,
    deepLinking: true, // the URL of an opened route can be shared
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: -1, // each route shows its schemas
    syntaxHighlight: false, // its colours are for a dark background only
    validatorUrl: null, // it is on another host
  });
}

/** Let the page send a request, and let Swagger UI show it as a curl command without the API key. */
function requestInterceptor(request: ViewerRequest): ViewerRequest {
  if (access.apiKey) request.headers["Authorization"] = "Bearer YOUR_API_KEY";
  request.userFetch = (url, init) => access.send(new Request(url, init));
  return request;
}
