/** The names of users and prices by their ids, for admins: read once, and many in one request. */

import { SvelteMap } from "svelte/reactivity";

import { type ListQuery, readPage } from "../api/lists";

/** The API's limit of values in `__in`, and of rows in a page. */
const IDS_AT_ONCE = 100;

class Names {
  #known = new SvelteMap<string, string>();
  #requested = new Set<string>();
  #wanted: string[] = [];

  /** `readNames` returns pairs of an id and a name. */
  constructor(readonly readNames: (query: ListQuery) => Promise<[string, string][]>) {}

  of(id: string): string | undefined {
    return this.#known.get(id);
  }

  set(id: string, name: string): void {
    this.#known.set(id, name);
  }

  /** Read a name once, with those that others want at the same time. */
  read(id: string): void {
    if (this.#requested.has(id)) return;
    this.#requested.add(id);
    if (this.#wanted.push(id) === 1) setTimeout(() => void this.#readAll());
  }

  async #readAll(): Promise<void> {
    while (this.#wanted.length) await this.#readSome(this.#wanted.splice(0, IDS_AT_ONCE));
  }

  async #readSome(ids: string[]): Promise<void> {
    const query = { id__in: ids.join(","), deleted: "true", page_size: String(IDS_AT_ONCE) };
    try {
      for (const [id, name] of await this.readNames(query)) this.set(id, name);
    } catch {
      for (const id of ids) this.#requested.delete(id); // links show ids meanwhile
    }
  }
}

export const emails = new Names(async (query) => {
  const { rows } = await readPage("users", { ...query, fields: "id,email" });
  return rows.map(({ id, email }) => [id, email]);
});

export const operationTypes = new Names(async (query) => {
  const { rows } = await readPage("operations", { ...query, fields: "id,type" });
  return rows.map(({ id, type }) => [id, type]);
});
