/** Repeated reads of what changes while it is shown. */

/**
 * Repeat a read while the page is visible, and at once when it becomes visible or the connection returns.
 * The read handles its own errors. Returns what stops the repetition.
 */
export function repeat(read: () => Promise<unknown>, everyMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isReading = false;
  let isStopped = false;

  async function run(): Promise<void> {
    if (isReading || document.hidden) return;
    clearTimeout(timer);
    isReading = true;
    await read();
    isReading = false;
    if (!isStopped) timer = setTimeout(run, everyMs);
  }

  timer = setTimeout(run, everyMs);
  document.addEventListener("visibilitychange", run);
  addEventListener("online", run);
  return () => {
    isStopped = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", run);
    removeEventListener("online", run);
  };
}
