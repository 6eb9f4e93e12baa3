/** The first bad rows of a task, from the beginning of its result CSV. */

import { unreachable } from "../../../api/problem";
import { resultsLink } from "../tasks";
import { CsvParser } from "./csv";

const ROWS_LIMIT = 100;
/** Bytes after which to stop: the results of a large file have gigabytes. */
const BYTES_LIMIT = 16_000_000;
/** `row,operation,arguments,result,amount,user_balance,error` */
const [OPERATION, ARGUMENTS, ERROR] = [1, 2, 6];

export interface BadRow {
  /** Line of the uploaded file on which the row begins. */
  line: string;
  operation: string;
  arguments: string;
  reason: string;
}

/** Return up to 100 bad rows from the first 16 MB. Throws ApiError. */
export async function readBadRows(taskId: string, signal: AbortSignal): Promise<BadRow[]> {
  const url = await resultsLink(taskId);
  const response = await fetch(url, { signal, credentials: "omit" }).catch(() => null);
  if (!response?.ok || !response.body) throw unreachable();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new CsvParser();
  const bad: BadRow[] = [];
  let size = 0;
  let isHeader = true;
  while (bad.length < ROWS_LIMIT && size < BYTES_LIMIT) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    for (const row of parser.push(value)) {
      if (!isHeader && row[ERROR]) bad.push(badRow(row));
      isHeader = false;
    }
  }
  await reader.cancel();
  return bad.slice(0, ROWS_LIMIT);
}

function badRow(row: string[]): BadRow {
  const [, line = "", reason = ""] = /^line (\d+): (.*)$/s.exec(row[ERROR] ?? "") ?? [];
  return {
    line,
    operation: row[OPERATION] ?? "",
    arguments: row[ARGUMENTS] ?? "",
    reason: reason || (row[ERROR] ?? ""),
  };
}
