/** Exact amounts of credits. The API sends them as decimal strings with at most 4 places. */

const PLACES = 4;
const AMOUNT = /^(-?)(\d+)(?:\.(\d{1,4}))?$/;

/** Return an amount in ten-thousandths of a credit, or null if the text is no amount. */
export function parse(text: string): bigint | null {
  const match = AMOUNT.exec(text.trim());
  if (!match) return null;
  const [, sign, whole = "", fraction = ""] = match;
  const units = BigInt(whole + fraction.padEnd(PLACES, "0"));
  return sign ? -units : units;
}

/** Return the decimal string of ten-thousandths of a credit, without trailing zeros. */
function toText(units: bigint): string {
  const digits = (units < 0n ? -units : units).toString().padStart(PLACES + 1, "0");
  const fraction = digits.slice(-PLACES).replace(/0+$/, "");
  return (units < 0n ? "-" : "") + digits.slice(0, -PLACES) + (fraction && `.${fraction}`);
}

/** Return what is wrong with a text as an amount for a request, or "" if nothing is. */
export function faultOf(text: string): string {
  if (parse(text) === null) return `Write an amount with at most ${PLACES} decimal places.`;
  return isExact(text) ? "" : "Write an amount with at most 15 digits.";
}

/** Return the sum of amounts that the API sent. */
export function sum(amounts: Iterable<string>): string {
  let total = 0n;
  for (const amount of amounts) total += parse(amount) ?? 0n;
  return toText(total);
}

/** Whether the first amount covers the second. */
export function covers(balance: string, cost: string): boolean {
  return (parse(balance) ?? 0n) >= (parse(cost) ?? 0n);
}

const FORMAT = new Intl.NumberFormat(undefined, { maximumFractionDigits: PLACES });

/** Return an amount as the reader's language writes it. Intl formats a decimal string exactly. */
export function format(amount: string): string {
  return FORMAT.format(amount as `${number}`);
}

/** Return an amount as a JSON number for a request body, with all its digits. Throws RangeError. */
export function toJson(text: string): number {
  const fault = faultOf(text);
  if (fault) throw new RangeError(fault);
  return Number(text);
}

/** Whether a JSON number keeps all digits of an amount. */
function isExact(text: string): boolean {
  const units = parse(text);
  return units !== null && units === parse(String(Number(text)));
}
