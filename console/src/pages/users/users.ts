/** Changes of a user by an admin. */

import { api, data, type Schemas } from "../../api/client";
import { session } from "../../lib/session.svelte";

/** Change the fields that are in `body`. Throws ApiError. */
export async function changeUser(id: string, body: Partial<Schemas["UserChange"]>): Promise<void> {
  await data(api.PATCH("/api/v1/users/{id}", { params: { path: { id } }, body }));
  if (id === session.user?.id) await session.load(); // the role decides which pages are shown
}

/** Delete a user, which keeps their records and statement. Throws ApiError. */
export async function deleteUser(id: string): Promise<void> {
  await data(api.DELETE("/api/v1/users/{id}", { params: { path: { id } } }));
}

/** Grant credit, or remove it if `amount` is negative. Throws ApiError. */
export async function moveCredit(
  id: string,
  body: Schemas["CreditGrant"],
  key: string,
): Promise<Schemas["Granted"]> {
  const params = { path: { id }, header: { "Idempotency-Key": key } };
  const granted = await data(api.POST("/api/v1/users/{id}/credits", { params, body }));
  if (id === session.user?.id) session.setBalance(granted.user_balance);
  return granted;
}
