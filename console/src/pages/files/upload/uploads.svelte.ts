/** The uploads of this tab. They continue while the reader visits other pages of the console. */

import { askBeforeLeaving } from "../../../lib/download";
import { toJson } from "../../../lib/money";
import type { Task } from "../tasks";
import { findGrant } from "./grants";
import { type Options, Upload } from "./upload.svelte";

const UPLOADS_AT_ONCE = 3;

class Uploads {
  items = $state.raw<Upload[]>([]);
  /** Grows with each task that an upload creates, sends or cancels: the list of tasks then reads it. */
  revision = $state(0);

  constructor() {
    askBeforeLeaving(() => this.items.some((upload) => upload.isActive));
  }

  /** Upload a file for a new task. */
  add(file: File, options: Options): void {
    this.#enqueue(new Upload(file, options));
  }

  /** Upload the file of a task that waits for it. Another task replaces it if its grant can't be used. */
  addFor(task: Task, file: File): Upload {
    const max_spend = task.max_spend === null ? null : toJson(task.max_spend);
    const upload = new Upload(file, { dry_run: task.dry_run, max_spend });
    upload.taskId = task.id;
    upload.grant = findGrant(task.id);
    this.#enqueue(upload);
    return upload;
  }

  retry(upload: Upload): void {
    upload.state = "waiting";
    this.#next();
  }

  /** Stop an upload and cancel its task, which would wait for a file otherwise. */
  async cancel(upload: Upload): Promise<void> {
    await upload.cancel();
    this.revision += 1;
    if (upload.state === "cancelled") this.remove(upload);
  }

  remove(upload: Upload): void {
    this.items = this.items.filter((other) => other !== upload);
  }

  /** The upload of a task in this tab. */
  of(taskId: string): Upload | undefined {
    return this.items.find((upload) => upload.taskId === taskId);
  }

  #enqueue(upload: Upload): void {
    this.items = [...this.items, upload];
    this.#next();
  }

  /** Start waiting uploads. A task is created only then, so that its grant does not expire in the queue. */
  #next(): void {
    const free = UPLOADS_AT_ONCE - this.items.filter((upload) => upload.state === "sending").length;
    for (const upload of this.items.filter(({ state }) => state === "waiting").slice(0, Math.max(free, 0))) {
      void upload.run(() => (this.revision += 1)).then(() => this.#next());
    }
  }
}

export const uploads = new Uploads();
