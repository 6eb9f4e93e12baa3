/** The caller's webhooks that the service has paused because their URLs failed. Home and the navigation show them. */

import { readPage, type Row } from "../api/lists";

/** More than the API's limit of webhooks per user. */
const PAGE_SIZE = "50";

class PausedWebhooks {
  rows = $state.raw<Row<"webhooks">[]>([]);

  /** Read them. After a failure the console shows the previous ones until the next read. */
  async read(): Promise<void> {
    const query = { paused_reason__in: "failing,gone", page_size: PAGE_SIZE };
    const page = await readPage("webhooks", query).catch(() => null);
    if (page) this.rows = page.rows;
  }
}

export const pausedWebhooks = new PausedWebhooks();
