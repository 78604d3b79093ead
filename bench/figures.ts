/** The middle of a sorted copy. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which the fraction `p` of the values lies. */
export function percentile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * p)]!;
}

/** One figure, beside what is promised of it, where something is. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** It may be this at most. */
  readonly limit?: number;
  /** It must be this at least. */
  readonly least?: number;
}

/** Three significant digits or so, and never an exponent. */
export function number(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(digits, 2));
}

/** Figures as a table in Markdown. */
export function figuresMarkdown(figures: readonly Figure[]): string {
  return grid(
    ["What", "Figure", "Promise", ""],
    figures.map(({ what, value, unit, limit, least }) => {
      const promise = limit !== undefined ? `≤ ${limit}` : least !== undefined ? `≥ ${least}` : "";
      const held = value <= (limit ?? Infinity) && value >= (least ?? -Infinity);
      return [
        what,
        `${number(value)} ${unit}`,
        promise && `${promise} ${unit}`,
        promise && (held ? "held" : "NOT held"),
      ];
    }),
  );
}

/** A table in Markdown, its columns as wide as `deno fmt` makes them. */
export function grid(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((text, i) =>
    Math.max(3, text.length, ...rows.map((row) => row[i]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line), ""]
    .join("\n");
}
