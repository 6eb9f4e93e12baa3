/** Times in the reader's zone and language. */

const SHORT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function short(time: string): string {
  return SHORT.format(new Date(time));
}

export function long(time: string): string {
  return LONG.format(new Date(time));
}

/** Return a time as "5 minutes ago" or "in 3 days". */
export function relative(time: string, now = Date.now()): string {
  const seconds = (Date.parse(time) - now) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit);
  }
  return "just now";
}

/** Return a UTC time as the value of a datetime-local input, in the reader's zone. Empty if it is no time. */
export function toInput(time = ""): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Return the UTC time of a datetime-local input. */
export function fromInput(value: string): string {
  return value && new Date(value).toISOString();
}

/** Return a duration as "2 h 5 min", "3 min 20 s" or "8 s". */
export function duration(seconds: number): string {
  const [h, min, s] = [
    Math.floor(seconds / 3600),
    Math.floor((seconds % 3600) / 60),
    Math.ceil(seconds % 60),
  ];
  if (h) return `${h} h ${min} min`;
  return min ? `${min} min ${s} s` : `${s} s`;
}
