/** A request of a form or a button: whether it is being sent, and why the last one failed. */

import { type ApiError, asApiError } from "../api/problem";

export class Action {
  isRunning = $state(false);
  error = $state.raw<ApiError | null>(null);

  /** Send a request, and return whether it succeeded. */
  async run(send: () => Promise<unknown>): Promise<boolean> {
    this.isRunning = true;
    this.error = null;
    try {
      await send();
      return true;
    } catch (reason) {
      this.error = asApiError(reason);
      return false;
    } finally {
      this.isRunning = false;
    }
  }
}
