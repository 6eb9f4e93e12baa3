import { api, data } from "../../../api/client";
import { type ApiError, asApiError } from "../../../api/problem";
import { IdempotencyKey } from "../../../lib/idempotency";
import { cancelTask, readTask } from "../tasks";
import { forgetGrant, type Grant, isValid, keepGrant } from "./grants";
import { sendFile } from "./send_file";

export interface Options {
  dry_run: boolean;
  max_spend: number | null;
}

/** One file on its way to the bucket. */
export class Upload {
  state = $state<"waiting" | "sending" | "sent" | "failed" | "cancelled">("waiting");
  /** Bytes that were sent. */
  sent = $state(0);
  /** Bytes per second, on average since the upload began. */
  speed = $state(0);
  error = $state.raw<ApiError | null>(null);
  taskId = $state<string | null>(null);
  /** Seconds until the API accepts another upload, if it accepted too many. */
  pause = $state<number | null>(null);
  grant: Grant | undefined;

  readonly #key = new IdempotencyKey();
  #stop = new AbortController();

  constructor(
    readonly file: File,
    readonly options: Options,
  ) {}

  get isActive(): boolean {
    return this.state === "waiting" || this.state === "sending";
  }

  /** Whether it can still be retried or cancelled. */
  get isOpen(): boolean {
    return this.isActive || this.state === "failed";
  }

  /** Create the task, unless its grant is still valid, and send the file. `onchange` is called for changes of tasks. */
  async run(onchange: () => void): Promise<void> {
    this.state = "sending";
    this.error = null;
    this.#stop = new AbortController();
    try {
      if (!(await this.#hasArrived())) {
        const grant = this.grant && isValid(this.grant) ? this.grant : await this.#createTask();
        onchange();
        await this.#send(grant);
      }
      if (this.taskId) forgetGrant(this.taskId);
      this.state = "sent";
      onchange();
    } catch (reason) {
      if (this.#stop.signal.aborted) return;
      this.error = asApiError(reason);
      this.state = "failed";
    }
  }

  /** Stop the upload, and cancel its task. */
  async cancel(): Promise<void> {
    this.#stop.abort();
    try {
      if (this.taskId) {
        await cancelTask(this.taskId);
        forgetGrant(this.taskId);
      }
      this.state = "cancelled";
    } catch (reason) {
      this.error = asApiError(reason);
      this.state = "failed";
    }
  }

  /** Whether the bucket has the file although the response of an earlier attempt was lost. */
  async #hasArrived(): Promise<boolean> {
    if (!this.taskId) return false;
    const { status } = await readTask(this.taskId);
    return status !== "awaiting_upload" && status !== "cancelled";
  }

  async #createTask(): Promise<Grant> {
    const replaced = this.taskId;
    const task = await this.#requestTask();
    this.#key.renew();
    if (this.#stop.signal.aborted) await cancelTask(task.id);
    this.#stop.signal.throwIfAborted();
    this.taskId = task.id;
    this.grant = task;
    keepGrant(task.id, task);
    // The file of the other task can't be uploaded any more. If this fails, it is cancelled after a day.
    if (replaced) await cancelTask(replaced).catch(() => {});
    return task;
  }

  /** Send the request, and wait as long as the API accepts no more uploads. */
  async #requestTask() {
    const body = { filename: this.file.name, size: this.file.size, ...this.options };
    const headers = { "Idempotency-Key": this.#key.for(body) };
    for (;;) {
      try {
        return await data(api.POST("/api/v1/tasks", { body, headers }));
      } catch (reason) {
        const { status, retryAfter } = asApiError(reason);
        if (status !== 429 || retryAfter === null) throw reason;
        this.pause = retryAfter;
        await new Promise((resolve) => setTimeout(resolve, retryAfter * 1000));
        this.pause = null;
        this.#stop.signal.throwIfAborted();
      }
    }
  }

  #send(grant: Grant): Promise<void> {
    const begin = performance.now();
    this.sent = 0;
    const report = (sent: number): void => {
      this.sent = sent;
      this.speed = (sent / Math.max(performance.now() - begin, 1)) * 1000;
    };
    return sendFile(grant, this.file, report, this.#stop.signal);
  }
}
