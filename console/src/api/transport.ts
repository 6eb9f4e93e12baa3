/** How a request reaches the service: headers, retries, and the exchange of an expired token. */

import { errorOf, unreachable } from "./problem";

/** Waits before the second, third and fourth attempt of a request that is safe to repeat. */
const RETRY_AFTER_MS = [300, 1_000, 3_000];
const UNAVAILABLE = new Set([500, 502, 503, 504]);

/** The service may refresh the token later. Any other error means that the session has ended. */
const REFRESH_LATER = new Set([429, ...UNAVAILABLE]);

let refresh: Promise<Response> | null = null;
let signInAgain: (() => Promise<void>) | null = null;

/** Set what lets the user sign in when the session has ended. Requests wait for it, and are then sent again. */
export function onSessionEnd(handler: () => Promise<void>): void {
  signInAgain = handler;
}

/** Send a request of openapi-fetch. After 401, refresh the token or let the user sign in, and send it again. */
export async function send(request: Request): Promise<Response> {
  const before = cookie("csrf_access_token");
  const response = await sendRepeatedly(request.clone());
  if (!(await isSignedOut(response))) return response;
  // Another request or tab may have exchanged the token since this request was sent.
  const present = cookie("csrf_access_token");
  if (present && present !== before) return sendRepeatedly(request);
  const refreshed = cookie("csrf_refresh_token") ? await refreshOnce() : response;
  if (REFRESH_LATER.has(refreshed.status)) return refreshed.clone();
  if (!refreshed.ok) {
    if (!signInAgain) return response;
    await signInAgain();
  }
  return sendRepeatedly(request);
}

/** Whether the token was missing or not valid. A wrong password gets 401 too. */
async function isSignedOut(response: Response): Promise<boolean> {
  if (response.status !== 401) return false;
  const problem = errorOf(
    response,
    await response
      .clone()
      .json()
      .catch(() => null),
  );
  return problem.type === "/problems/not-signed-in";
}

/** Exchange the refresh token. Concurrent calls share one exchange. */
function refreshOnce(): Promise<Response> {
  refresh ??= attempt(new Request("/refresh", { method: "POST" }), "csrf_refresh_token").finally(
    () => (refresh = null),
  );
  return refresh;
}

async function sendRepeatedly(request: Request): Promise<Response> {
  const isRepeatable = request.method === "GET" || request.headers.has("Idempotency-Key");
  for (const wait of isRepeatable ? RETRY_AFTER_MS : []) {
    const response = await attempt(request.clone()).catch(() => null);
    if (response && !UNAVAILABLE.has(response.status)) return response;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  return attempt(request);
}

async function attempt(request: Request, csrfCookie = "csrf_access_token"): Promise<Response> {
  request.headers.set("Prefer", "money=string");
  if (request.method !== "GET") request.headers.set("X-CSRF-TOKEN", cookie(csrfCookie));
  return fetch(request).catch(() => {
    throw unreachable();
  });
}

function cookie(name: string): string {
  const pair = document.cookie.split("; ").find((text) => text.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) ?? "";
}
