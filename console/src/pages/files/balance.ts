/** The balance in the header follows what the caller's tasks spend. */

import { session } from "../../lib/session.svelte";
import type { Task } from "./tasks";

/** Return a function that receives tasks whenever they were read. It reads the balance if they have spent more. */
export function followBalance(): (tasks: readonly Task[]) => void {
  const known = new Map<string, string>();
  return (tasks) => {
    const own = tasks.filter((task) => task.user_id === session.user?.id);
    const changed = own.filter((task) => known.get(task.id) !== task.spent);
    for (const task of changed) known.set(task.id, task.spent);
    // The next read repeats it if this one fails.
    if (changed.length)
      void session.refreshBalance().catch(() => changed.forEach(({ id }) => known.delete(id)));
  };
}
