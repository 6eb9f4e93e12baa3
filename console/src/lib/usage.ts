/** What was spent, by period and operation. */

import { api, data, type Schemas } from "../api/client";
import type { Series } from "../components/chart/series";
import { sum } from "./money";

export type Usage = Schemas["Usage"];
export type Period = Schemas["UsagePeriod"];

/** Return the usage from `days` days ago until now, in UTC periods. Throws ApiError. */
export function readUsage(days: number, by: Period, userId?: string): Promise<Usage> {
  const end = new Date();
  end.setUTCMinutes(0, 0, 0);
  end.setUTCHours(end.getUTCHours() + 1);
  const start = new Date(end);
  start.setUTCDate(start.getUTCDate() - days);
  if (by !== "hour") start.setUTCHours(0);
  if (by === "month") start.setUTCDate(1);
  const query = { from: start.toISOString(), to: end.toISOString(), by, ...(userId && { user_id: userId }) };
  return data(api.GET("/api/v1/usage", { params: { query } }));
}

/** Return all periods of a usage, also those without calls. */
export function periodsOf(usage: Usage): string[] {
  const periods: string[] = [];
  const date = new Date(usage.from);
  const end = Date.parse(usage.to);
  while (date.getTime() < end) {
    periods.push(date.toISOString());
    if (usage.by === "hour") date.setUTCHours(date.getUTCHours() + 1);
    else if (usage.by === "day") date.setUTCDate(date.getUTCDate() + 1);
    else date.setUTCMonth(date.getUTCMonth() + 1);
  }
  return periods;
}

/** Return what was spent on each operation, as bars for the periods. The most used comes first. */
export function spentSeries(usage: Usage, periods: readonly string[]): Series[] {
  const position = new Map(periods.map((period, index) => [Date.parse(period), index]));
  const series = new Map<string, Series>();
  for (const { operation, period, spent } of usage.usage) {
    if (!series.has(operation)) series.set(operation, { name: operation, values: periods.map(() => 0) });
    const index = position.get(Date.parse(period));
    if (index !== undefined) series.get(operation)!.values[index] = Number(spent);
  }
  const total = ({ values }: Series): number => values.reduce((a, b) => a + b, 0);
  return [...series.values()].sort((a, b) => total(b) - total(a));
}

export interface Totals {
  calls: number;
  rows: number;
  spent: string;
}

/** Return the sums of the entries of a usage. */
export function totals(entries: readonly Schemas["OperationUsage"][]): Totals {
  return {
    calls: entries.reduce((count, entry) => count + entry.calls, 0),
    rows: entries.reduce((count, entry) => count + entry.rows, 0),
    spent: sum(entries.map((entry) => entry.spent)),
  };
}
