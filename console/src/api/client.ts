/** The typed client of the API. `data(api.GET("/api/v1/users/me"))` returns the body or throws ApiError. */

import createClient from "openapi-fetch";

import { errorOf } from "./problem";
import type { components, paths } from "./schema";
import { send } from "./transport";

export type Schemas = components["schemas"];

export const api = createClient<paths>({
  baseUrl: location.origin,
  fetch: send,
  headers: { Prefer: "money=string" },
});

interface Result<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Return the body of a successful response, or throw the ApiError of another. */
export async function data<T>(result: Promise<Result<T>>): Promise<T> {
  const { data: body, error, response } = await result;
  if (!response.ok) throw errorOf(response, error);
  return body as T;
}
