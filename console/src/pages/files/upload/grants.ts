/**
 * The presigned POSTs of this tab's tasks. They survive a reload, so that the same task can receive its file.
 * Only this tab can read them, because each allows an upload.
 */

import type { Schemas } from "../../../api/client";

export type Grant = Pick<Schemas["UploadGranted"], "url" | "fields">;

const KEY = "upload-grants";
/** An upload must have begun when its grant expires, so leave time for the request. */
const MARGIN_MS = 20_000;

export function isValid(grant: Grant): boolean {
  const policy = JSON.parse(atob(grant.fields["policy"] ?? "")) as { expiration: string };
  return Date.parse(policy.expiration) - MARGIN_MS > Date.now();
}

/** Return the grant of a task, unless it has expired or another tab created the task. */
export function findGrant(taskId: string): Grant | undefined {
  return read()[taskId];
}

export function keepGrant(taskId: string, { url, fields }: Grant): void {
  write({ ...read(), [taskId]: { url, fields } });
}

export function forgetGrant(taskId: string): void {
  const { [taskId]: _, ...others } = read();
  write(others);
}

function read(): Record<string, Grant> {
  const all = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Record<string, Grant>;
  return Object.fromEntries(Object.entries(all).filter(([, grant]) => isValid(grant)));
}

function write(grants: Record<string, Grant>): void {
  sessionStorage.setItem(KEY, JSON.stringify(grants));
}
