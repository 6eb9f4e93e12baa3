/** With which credentials the viewer's requests are sent: an API key, or the session's cookies. */

import { asApiError } from "../api/problem";
import { hasSession, send } from "../api/transport";
import { session } from "../lib/session.svelte";

class Access {
  /** Kept in this page's memory only. */
  apiKey = $state("");

  /** Send a request that the reader tried. Only the session's cookies need a CSRF token and a refresh. */
  async send(request: Request): Promise<Response> {
    if (this.apiKey) {
      request.headers.set("Authorization", `Bearer ${this.apiKey}`);
      return fetch(request, { credentials: "omit" });
    }
    const response = await send(request);
    // A tried route may have charged the reader, or have signed them in or out.
    if (request.method !== "GET" || response.status === 401) void this.readSession().catch(console.error);
    return response;
  }

  /** Show who is signed in with the browser's present cookies. Throws ApiError. */
  async readSession(): Promise<void> {
    if (!hasSession()) return void (session.user = null);
    try {
      await session.load();
    } catch (reason) {
      if (asApiError(reason).status !== 401) throw reason;
      session.user = null;
    }
  }
}

export const access = new Access();
