/** The page and its parameters, in the URL's fragment: `#/records?operation=addition`. */

class Router {
  path = $state("");
  query = $state<Record<string, string>>({});

  constructor() {
    this.#read();
    addEventListener("hashchange", () => this.#read());
  }

  /** The parts of the path: `["files", "0193…"]`. */
  get parts(): string[] {
    return this.path.split("/").filter(Boolean);
  }

  go(path: string, query: Record<string, string> = {}): void {
    location.hash = href(path, query);
  }

  /** Change parameters in place, without an entry in the history. An empty value removes one. */
  setQuery(changes: Record<string, string>): void {
    const entries = Object.entries({ ...this.query, ...changes }).filter(([, value]) => value !== "");
    history.replaceState(null, "", href(this.path, Object.fromEntries(entries)));
    this.#read();
  }

  #read(): void {
    const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    this.path = path;
    this.query = Object.fromEntries(new URLSearchParams(query));
  }
}

/** Return the link to a page. */
export function href(path: string, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return `#/${path}${text && `?${text}`}`;
}

export const router = new Router();
