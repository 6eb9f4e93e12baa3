/** The statuses of tasks, and the requests that change them. */

import { api, data, type Schemas } from "../../api/client";
import { ApiError } from "../../api/problem";
import { download } from "../../lib/download";
import type { IdempotencyKey } from "../../lib/idempotency";

export type Task = Schemas["Task"];

export const STATUSES: readonly Task["status"][] = [
  "awaiting_upload",
  "queued",
  "processing",
  "completed",
  "out_of_credit",
  "failed",
  "cancelled",
  "quoted",
];

/** Milliseconds after the end of a task during which its results may still be written. */
const WRITING_MS = 10 * 60_000;

/** Whether the worker processes the task, or its queue contains it. */
export function isRunning({ status }: Task): boolean {
  return status === "queued" || status === "processing";
}

/** Whether the task runs, or its results are being written. */
export function isChanging(task: Task): boolean {
  return isRunning(task) || isWriting(task);
}

/** Whether the results of a task that has ended are being written. */
export function isWriting({ finished_at, results }: Task): boolean {
  return finished_at !== null && results === null && Date.now() - Date.parse(finished_at) < WRITING_MS;
}

const at = (id: string) => ({ params: { path: { task_id: id } } });

export function readTask(id: string): Promise<Task> {
  return data(api.GET("/api/v1/tasks/{task_id}", at(id)));
}

export function cancelTask(id: string): Promise<Task> {
  return data(api.POST("/api/v1/tasks/{task_id}/cancel", at(id)));
}

/** Charge the rows of a quoted task. */
export async function startTask(id: string, key: IdempotencyKey): Promise<Task> {
  const headers = { "Idempotency-Key": key.for(id) };
  const task = await data(api.POST("/api/v1/tasks/{task_id}/start", { ...at(id), headers }));
  key.renew();
  return task;
}

/** Continue a task. `max_spend` replaces its limit, and null removes it. */
export function resumeTask(id: string, body: { max_spend?: number | null }): Promise<Task> {
  return data(api.POST("/api/v1/tasks/{task_id}/resume", { ...at(id), body }));
}

/** Return what the rows of a task were charged to its user. For admins. */
export async function refundTask(id: string, reason: string, key: string): Promise<void> {
  const headers = { "Idempotency-Key": key };
  await data(api.POST("/api/v1/tasks/{task_id}/refund", { ...at(id), headers, body: { reason } }));
}

/** Return a link to the result CSV, valid for 15 minutes. */
export async function resultsLink(id: string): Promise<string> {
  const headers = { Accept: "application/json" };
  return (await data(api.GET("/api/v1/tasks/{task_id}/results", { ...at(id), headers }))).url;
}

/** Download the result CSV. While it is being written, call `onwait` and ask again. */
export async function downloadResults(id: string, onwait: () => void): Promise<void> {
  for (;;) {
    try {
      return download(await resultsLink(id));
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409 || error.retryAfter === null) throw error;
      onwait();
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? 1) * 1000));
    }
  }
}
