/** The e-mails of users by their ids, for admins. */

import { SvelteMap } from "svelte/reactivity";

import { readPage } from "../api/lists";

/** The API's limit of values in `__in`, and of rows in a page. */
const IDS_AT_ONCE = 100;

class Emails {
  #known = new SvelteMap<string, string>();
  #wanted = new Set<string>();
  #requested = new Set<string>();

  of(id: string): string | undefined {
    return this.#known.get(id);
  }

  set(id: string, email: string): void {
    this.#known.set(id, email);
  }

  /** Read the e-mail of a user once. All users of one page of the console are one request. */
  read(id: string): void {
    if (this.#requested.has(id)) return;
    if (!this.#wanted.size) setTimeout(() => void this.#readAll());
    this.#wanted.add(id);
    this.#requested.add(id);
  }

  async #readAll(): Promise<void> {
    const ids = [...this.#wanted];
    this.#wanted.clear();
    for (let first = 0; first < ids.length; first += IDS_AT_ONCE) {
      const some = ids.slice(first, first + IDS_AT_ONCE);
      const query = { id__in: some.join(","), deleted: "true", fields: "id,email", page_size: "100" };
      try {
        for (const user of (await readPage("users", query)).rows) this.set(user.id, user.email);
      } catch {
        for (const id of some) this.#requested.delete(id); // links show ids meanwhile
      }
    }
  }
}

export const emails = new Emails();
