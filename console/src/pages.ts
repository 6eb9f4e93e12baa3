/** The pages by the first part of their URL: `#/files/0193…` is in `pages/files`. */

import type { Component } from "svelte";

export interface Page {
  path: string;
  title: string;
  /** Load the page's component. Its property `id`, if it has one, is the rest of the URL's path. */
  load: () => Promise<{ default: Component<any> }>;
  /** Shown in the navigation's section for admins, and to them only. */
  isForAdmins?: boolean;
}

export const PAGES: readonly Page[] = [
  { path: "", title: "Home", load: () => import("./pages/home/Home.svelte") },
  { path: "compute", title: "Compute", load: () => import("./pages/compute/Compute.svelte") },
  { path: "files", title: "Files", load: () => import("./pages/files/Files.svelte") },
  { path: "records", title: "History", load: () => import("./pages/records/Records.svelte") },
  { path: "ledger", title: "Statement", load: () => import("./pages/ledger/Ledger.svelte") },
  { path: "usage", title: "Usage", load: () => import("./pages/usage/Usage.svelte") },
  { path: "operations", title: "Prices", load: () => import("./pages/operations/Operations.svelte") },
  { path: "exports", title: "Exports", load: () => import("./pages/exports/Exports.svelte") },
  { path: "api_keys", title: "API keys", load: () => import("./pages/api_keys/ApiKeys.svelte") },
  { path: "webhooks", title: "Webhooks", load: () => import("./pages/webhooks/Webhooks.svelte") },
  { path: "account", title: "Account", load: () => import("./pages/account/Account.svelte") },
  { path: "users", title: "Users", load: () => import("./pages/users/Users.svelte"), isForAdmins: true },
  {
    path: "audit_log",
    title: "Audit log",
    load: () => import("./pages/audit_log/AuditLog.svelte"),
    isForAdmins: true,
  },
];

export function pageAt(path: string | undefined): Page | undefined {
  return PAGES.find((page) => page.path === (path ?? ""));
}
