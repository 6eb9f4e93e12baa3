/** The caller's webhooks that the service has paused because their URLs failed. Home and the navigation show them. */

import { readPage, type Row } from "../api/lists";
import { Latest } from "./latest";

/** More than the API's limit of webhooks per user. */
const PAGE_SIZE = "50";

class PausedWebhooks {
  rows = $state.raw<Row<"webhooks">[]>([]);
  readonly #reads = new Latest();

  /** Read them. After a failure the console shows the previous ones until the next read. */
  async read(): Promise<void> {
    const request = this.#reads.begin();
    const query = { paused_reason__in: "failing,gone", page_size: PAGE_SIZE };
    const page = await readPage("webhooks", query).catch(() => null);
    if (page && this.#reads.accept(request)) this.rows = page.rows;
  }
}

export const pausedWebhooks = new PausedWebhooks();
