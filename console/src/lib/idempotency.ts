/** Idempotency keys: a double click or a retry of the same request never pays twice. */

export class IdempotencyKey {
  #payload = "";
  #key = "";

  /** Return the key for a payload: the same one until `renew` or another payload. */
  for(payload: unknown): string {
    const text = JSON.stringify(payload);
    if (!this.#key || text !== this.#payload) [this.#key, this.#payload] = [randomId(), text];
    return this.#key;
  }

  /** Use a new key from now on, because the request was answered. */
  renew(): void {
    this.#key = "";
  }
}

/** crypto.randomUUID exists only in secure contexts, and `make up` may serve plain http in a network. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
