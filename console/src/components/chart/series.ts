/** Series of a chart with stacked bars. */

export interface Series {
  name: string;
  /** A value for each period. */
  values: number[];
}

/**
 * Return the series as heights from zero, each on top of the ones after it. The highest comes first, so that
 * those drawn later do not hide it.
 */
export function stacked(series: readonly Series[]): number[][] {
  let below: number[] = [];
  return series
    .toReversed()
    .map(({ values }) => (below = values.map((value, index) => value + (below[index] ?? 0))))
    .toReversed();
}

/** Return the present value of a colour in tokens.css. A canvas cannot read variables or light-dark(). */
export function color(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
