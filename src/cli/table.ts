import { oneLine } from "../text/one_line.ts";

/** Rows of cells, in columns as wide as their widest cell; what is no visible character is escaped. */
export function table(rows: readonly (readonly string[])[]): string {
  const shown = rows.map((row) => row.map((cell) => oneLine(cell).replace(/\p{Z}+/gu, " ").trim()));
  const widths = shown[0]!.map((_, column) => Math.max(...shown.map((row) => row[column]!.length)));
  return shown
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .join("\n");
}

/** A time for people: today's clock, or the day, in UTC. */
export function shortTime(iso: string | undefined, now = Date.now()): string {
  if (iso === undefined) return "never";
  const [day, clock] = new Date(iso).toISOString().split("T") as [string, string];
  return new Date(now).toISOString().startsWith(day) ? `${clock.slice(0, 8)}` : day;
}
