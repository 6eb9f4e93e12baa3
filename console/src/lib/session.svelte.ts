/** The signed-in user, the balance, and what happens when the session ends. All tabs agree on them. */

import { api, data, type Schemas } from "../api/client";

type Message = { event: "signed-out" } | { event: "signed-in" } | { event: "balance"; balance: string };

class Session {
  user = $state<Schemas["User"] | null>(null);
  /** Whether the page waits for the user to sign in again, and then repeats its requests. */
  isExpired = $state(false);

  #continue: ((isSignedIn: true) => void)[] = [];
  /** Counts the balances that were shown, so that a read that began before one does not replace it. */
  #balances = 0;
  #tabs = new BroadcastChannel("session");

  constructor() {
    this.#tabs.onmessage = ({ data: message }: MessageEvent<Message>) => this.#receive(message);
  }

  get isSignedIn(): boolean {
    return this.user !== null;
  }

  get isAdmin(): boolean {
    return this.user?.role === "admin";
  }

  get balance(): string {
    return this.user?.balance ?? "0";
  }

  /** Show a balance that a response contained. Other tabs then read theirs. */
  setBalance(balance: string): void {
    this.#balances += 1;
    if (!this.user || this.user.balance === balance) return;
    this.user.balance = balance;
    this.#post({ event: "balance", balance });
  }

  /** Read the user with the present cookies. Throws ApiError: 401 if they are not valid. */
  load(): Promise<void> {
    return this.#read((user) => {
      this.#balances += 1;
      this.user = user;
    });
  }

  /** Read the balance, because a task has spent some of it. Throws ApiError. */
  refreshBalance(): Promise<void> {
    return this.#read((user) => this.setBalance(user.balance));
  }

  /** Sign in, or create the account. Throws ApiError. */
  async signIn(email: string, password: string): Promise<void> {
    const before = this.user?.id;
    await data(api.POST("/login", { body: { email, password, token: false } }));
    await this.load();
    if (before && before !== this.user?.id) return location.reload(); // the page shows another user's data
    this.#signedIn();
    this.#post({ event: "signed-in" });
  }

  async signOut(): Promise<void> {
    await data(api.POST("/logout"));
    this.#post({ event: "signed-out" });
    location.reload();
  }

  /** Ask the user to sign in, and return true when they have. Return false if none was signed in. */
  async signInAgain(): Promise<boolean> {
    if (!this.user) return false;
    this.isExpired = true;
    return new Promise((resolve) => this.#continue.push(resolve));
  }

  /** Read the user and show it, or read it again if another balance was shown meanwhile. */
  async #read(show: (user: Schemas["User"]) => void): Promise<void> {
    const known = this.#balances;
    const user = await data(api.GET("/api/v1/users/me"));
    if (known !== this.#balances) return this.#read(show);
    show(user);
  }

  #signedIn(): void {
    this.isExpired = false;
    for (const resolve of this.#continue.splice(0)) resolve(true);
  }

  #post(message: Message): void {
    this.#tabs.postMessage(message);
  }

  #receive(message: Message): void {
    if (message.event === "signed-out") return location.reload();
    void this.#adopt(message);
  }

  /** Show the session that another tab changed. */
  async #adopt(message: Message): Promise<void> {
    const before = this.user?.id;
    try {
      await this.load();
    } catch (reason) {
      return console.error(reason); // this tab keeps what it shows, and its next request reports the error
    }
    // Another user's tab must not send the requests that wait for the first user.
    if (before !== this.user?.id) return location.reload();
    if (message.event === "signed-in") this.#signedIn();
    // The other tab's response may be older than a charge of this tab, so let it read the balance too.
    if (message.event === "balance" && message.balance !== this.balance) {
      this.#post({ event: "balance", balance: this.balance });
    }
  }
}

export const session = new Session();
