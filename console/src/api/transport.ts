/** How a request reaches the service: headers, retries, and the exchange of an expired token. */

import { errorOf, unreachable } from "./problem";

/** Waits before the second, third and fourth attempt of a request that is safe to repeat. */
const RETRY_AFTER_MS = [300, 1_000, 3_000];
const UNAVAILABLE = new Set([500, 502, 503, 504]);

const REFRESH = "/refresh";

/** The service may refresh the token later. Any other error means that the session has ended. */
const REFRESH_LATER = new Set([429, ...UNAVAILABLE]);

let refresh: Promise<Response> | null = null;
let signInAgain: (() => Promise<boolean>) | null = null;

/** Set what lets the user sign in when the session has ended, and returns whether they have. */
export function onSessionEnd(handler: () => Promise<boolean>): void {
  signInAgain = handler;
}

/** Whether the browser has cookies of a session, which may have ended. */
export function hasSession(): boolean {
  return Boolean(cookie("csrf_access_token") || cookie("csrf_refresh_token"));
}

/** Send a request. After 401, refresh the token or let the user sign in, and send it again. */
export async function send(request: Request): Promise<Response> {
  const before = cookie("csrf_access_token");
  const response = await sendRepeatedly(request.clone());
  if (!(await isSignedOut(response))) return response;
  // Another request or tab may have exchanged the token since this request was sent.
  const present = cookie("csrf_access_token");
  if (present && present !== before) return sendRepeatedly(request);
  const refreshed = cookie("csrf_refresh_token") ? await refreshOnce() : response;
  if (REFRESH_LATER.has(refreshed.status)) return refreshed.clone();
  if (!refreshed.ok && !(await signInAgain?.())) return response;
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
  refresh ??= attempt(new Request(REFRESH, { method: "POST" })).finally(() => (refresh = null));
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

async function attempt(request: Request): Promise<Response> {
  const kind = new URL(request.url).pathname === REFRESH ? "refresh" : "access";
  if (request.method !== "GET") request.headers.set("X-CSRF-TOKEN", cookie(`csrf_${kind}_token`));
  return fetch(request).catch(() => {
    throw unreachable();
  });
}

function cookie(name: string): string {
  const pair = document.cookie.split("; ").find((text) => text.startsWith(`${name}=`));
  return pair?.slice(name.length + 1) ?? "";
}
