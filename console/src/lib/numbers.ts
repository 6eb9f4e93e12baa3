/** Counts and sizes as the reader's language writes them. */

const COUNT = new Intl.NumberFormat();
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

export function count(value: number): string {
  return COUNT.format(value);
}

/** Return a text as a JSON number with all its digits, or null if it is no number. */
export function toJsonNumber(text: string): string | null {
  const match = /^([+-]?)0*(\d*)\.?(\d*)(e[+-]?\d+)?$/i.exec(text.trim());
  if (!match || !/\d/.test(text.split(/e/i)[0] ?? "")) return null;
  const [, sign, whole, fraction, exponent = ""] = match;
  return `${sign === "-" ? "-" : ""}${whole || "0"}${fraction && `.${fraction}`}${exponent}`;
}

/** Return a number of bytes as "4.2 MB". */
export function bytes(value: number): string {
  const power = value < 1000 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), UNITS.length - 1);
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: UNITS[power],
    unitDisplay: power ? "short" : "long",
    maximumSignificantDigits: power ? 3 : undefined,
  }).format(value / 1000 ** power);
}

/** Return "1 row" or "3 rows". */
export function plural(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}
