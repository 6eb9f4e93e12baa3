/** Keeps an older response from replacing what a newer one shows. */
export class Latest {
  #begun = 0;
  #shown = 0;

  /** Number a request. Call it before the request is sent. */
  begin(): number {
    return (this.#begun += 1);
  }

  /** Return whether to show the response of a request, because no later request's response is shown. */
  accept(request: number): boolean {
    if (request < this.#shown) return false;
    this.#shown = request;
    return true;
  }

  /** Pass a read's result to `show` or its error to `fail`, unless a later request's response is shown. */
  async read<T>(
    reading: Promise<T>,
    show: (result: T) => void,
    fail: (reason: unknown) => void,
  ): Promise<void> {
    const request = this.begin();
    try {
      const result = await reading;
      if (this.accept(request)) show(result);
    } catch (reason) {
      if (this.accept(request)) fail(reason);
    }
  }
}
