/** The events that a webhook may have, in the words of the console. */

import type { Schemas } from "../../api/client";

export type Webhook = Schemas["Webhook"];
export type WebhookWithSecret = Schemas["WebhookWithSecret"];
export type Delivery = Schemas["WebhookDelivery"];

export const EVENTS: { name: Schemas["WebhookEvent"]; text: string }[] = [
  { name: "task.completed", text: "A file is done or checked" },
  { name: "task.stopped", text: "A file was cancelled or ran out of credit" },
  { name: "task.failed", text: "A file failed" },
  { name: "export.completed", text: "An export is ready" },
  { name: "balance.low", text: "The balance falls below the account's threshold" },
  { name: "credit.granted", text: "Credit was granted" },
  { name: "record.refunded", text: "A call or file was refunded" },
];

const REASONS: Record<string, string> = {
  owner: "by you",
  failing: "because it failed for three days",
  gone: "because it answered 410",
};

/** Return why a webhook is paused, after the word "Paused". */
export function pauseOf(webhook: Pick<Webhook, "paused_reason">): string {
  return REASONS[webhook.paused_reason ?? ""] ?? "";
}
