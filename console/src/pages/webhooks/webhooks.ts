/** The events of webhooks, and the requests that change webhooks. */

import { api, data, type Schemas } from "../../api/client";
import type { Row } from "../../api/lists";

export type Webhook = Schemas["Webhook"];
export type WebhookWithSecret = Schemas["WebhookWithSecret"];
export type WebhookChange = Schemas["WebhookChange"];
export type WebhookEvent = Schemas["WebhookEvent"];
export type Delivery = Row<"deliveries">;
export type Attempt = Schemas["WebhookAttempt"];

export const EVENTS: Record<WebhookEvent, string> = {
  "task.completed": "A file has been processed or priced",
  "task.stopped": "A file was cancelled, or ran out of credit",
  "task.failed": "A file has failed",
  "export.completed": "An export is ready",
  "balance.low": "The balance fell below the threshold of your account",
  "credit.granted": "An admin granted credit",
  "record.refunded": "An admin refunded a call or a file",
};

/** Deliveries that are due later than this are not read again and again. */
const SOON_MS = 60_000;

/** Whether a delivery will change soon. */
export function isChanging({ status, next_attempt_at }: Delivery): boolean {
  return status === "pending" && Date.parse(next_attempt_at ?? "") < Date.now() + SOON_MS;
}

/** Return the result of an attempt: the status of the response, or why none came. */
export function resultOf(attempt: Attempt): string {
  return attempt.status === null ? (attempt.error ?? "No response") : String(attempt.status);
}

export function isSuccess({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300;
}

export function createWebhook(body: Schemas["NewWebhook"]): Promise<WebhookWithSecret> {
  return data(api.POST("/api/v1/webhooks", { body }));
}

export function readWebhook(id: string): Promise<Webhook> {
  return data(api.GET("/api/v1/webhooks/{id}", { params: { path: { id } } }));
}

export function changeWebhook(id: string, body: WebhookChange): Promise<Webhook> {
  return data(api.PATCH("/api/v1/webhooks/{id}", { params: { path: { id } }, body }));
}

export async function deleteWebhook(id: string): Promise<void> {
  await data(api.DELETE("/api/v1/webhooks/{id}", { params: { path: { id } } }));
}

export function rotateSecret(id: string): Promise<WebhookWithSecret> {
  return data(api.POST("/api/v1/webhooks/{id}/rotate_secret", { params: { path: { id } } }));
}

export async function sendTest(id: string): Promise<void> {
  await data(api.POST("/api/v1/webhooks/{id}/test", { params: { path: { id } } }));
}

export function redeliver({ id, webhook_id }: Delivery): Promise<Schemas["WebhookDelivery"]> {
  const path = { id: webhook_id, delivery_id: id };
  return data(api.POST("/api/v1/webhooks/{id}/deliveries/{delivery_id}/redeliver", { params: { path } }));
}
