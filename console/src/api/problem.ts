import type { components } from "./schema";

type Problem = components["schemas"]["Problem"] & { errors?: components["schemas"]["InputFault"][] };

/** An error of the API (RFC 9457), or of the way to it. Its message is the API's own detail. */
export class ApiError extends Error {
  readonly status: number;
  readonly type: string;
  readonly requestId: string;
  readonly faults: readonly { pointer: string; detail: string }[];

  /** Seconds after which the request may succeed, if the response says so. */
  readonly retryAfter: number | null;

  constructor(problem: Problem, retryAfter: number | null = null) {
    super(problem.detail);
    this.retryAfter = retryAfter;
    this.status = problem.status;
    this.type = problem.type;
    this.requestId = problem.instance;
    this.faults = problem.errors ?? [];
  }

  /** The details of the faults at a pointer such as `#/email`, and below it. Empty if there is none. */
  at(pointer: string): string {
    const below = this.faults.filter((fault) => isWithin(fault.pointer, pointer));
    return below.map((fault) => fault.detail).join(" ");
  }

  /** Whether the error consists of faults, each at one of the pointers or below it. */
  isWithin(pointers: readonly string[]): boolean {
    const hasPlace = (fault: string): boolean => pointers.some((pointer) => isWithin(fault, pointer));
    return this.faults.length > 0 && this.faults.every((fault) => hasPlace(fault.pointer));
  }
}

function isWithin(pointer: string, parent: string): boolean {
  return pointer === parent || pointer.startsWith(`${parent}/`);
}

/** Status of an error without a response. */
export const UNREACHABLE = 0;

export function unreachable(): ApiError {
  return new ApiError({
    type: "/problems/unreachable",
    title: "Unreachable",
    status: UNREACHABLE,
    detail: "The service can't be reached. Check the connection and try again.",
    instance: "",
  });
}

export function notFound(): ApiError {
  return new ApiError({
    type: "/problems/not-found",
    title: "Not found",
    status: 404,
    detail: "There is nothing with this id. Check the link.",
    instance: "",
  });
}

/** Return the error for a response that is not successful. API Gateway's own errors are no problems. */
export function errorOf(response: Response, body: unknown): ApiError {
  if (typeof body === "object" && body !== null && "detail" in body) {
    return new ApiError(body as Problem, Number(response.headers.get("Retry-After")) || null);
  }
  return new ApiError({
    type: "about:blank",
    title: response.statusText,
    status: response.status,
    detail: `The service responded with ${response.status}. Try again in a moment.`,
    instance: response.headers.get("X-Request-Id") ?? "",
  });
}

/** Return any thrown value as an ApiError. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  console.error(error);
  return new ApiError({
    type: "about:blank",
    title: "Error in the console",
    status: UNREACHABLE,
    detail: `The console failed: ${error instanceof Error ? error.message : String(error)}`,
    instance: "",
  });
}
