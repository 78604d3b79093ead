/**
 * The Prometheus text format, version 0.0.4. Our own and not `npm:prom-client`, because a package
 * that it needs (bintrees 1.0.2) makes `deno compile` 2.9.6 run out of stack.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @module
 */

/** The media type of {@linkcode renderFamilies}. */
export const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Values with their labels, and what is put behind the family's name, as a histogram's parts have it. */
export type Samples = readonly (readonly [
  labels: Readonly<Record<string, string>>,
  value: number,
  suffix?: "_bucket" | "_sum" | "_count",
])[];

/** What a family of samples is called, what it counts, and its samples. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter" | "histogram";
  readonly samples: Samples;
}

/** Writes families of samples, each with its help and type before it. */
export function renderFamilies(families: readonly Family[]): string {
  return families.map(({ name, help, type, samples }) =>
    [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(([labels, value, suffix = ""]) =>
        `${name}${suffix}${renderLabels(labels)} ${value}`
      ),
    ].join("\n") + "\n"
  ).join("");
}

function renderLabels(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => character === "\n" ? "\\n" : `\\${character}`);
}
