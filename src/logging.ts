/**
 * Structured logs on standard error: text on a terminal, else one JSON object a line.
 *
 * @module
 */
import {
  configureSync,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  type Logger,
  type TextFormatter,
} from "@logtape/logtape";
import type { LogLevel } from "./config.ts";

/** The gateway's logger. Nothing is written before {@linkcode configureLogging}. */
export const log: Logger = getLogger("cxg");

/**
 * Starts logging.
 *
 * @param level the least severe level that is written
 * @param terminal whether a person reads it; by default whether standard error is a terminal
 */
export function configureLogging(level: LogLevel, terminal = Deno.stderr.isTerminal()): void {
  const format = terminal ? textFormatter() : getJsonLinesFormatter({ properties: "flatten" });
  const encoder = new TextEncoder();
  configureSync({
    reset: true,
    sinks: {
      stderr: (record) => {
        writeAll(encoder.encode(format(record)));
      },
    },
    loggers: [
      { category: "cxg", sinks: ["stderr"], lowestLevel: level === "warn" ? "warning" : level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
}

function textFormatter(): TextFormatter {
  const format = getAnsiColorFormatter({ timestamp: "time", category: () => "" });
  return (record) => {
    const fields = Object.entries(record.properties)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${fieldText(value)}`)
      .join("");
    return `${format(record).trimEnd()}${fields}\n`;
  };
}

/** A field's value, quoted when it would not stay one word on one line. */
function fieldText(value: unknown): string {
  return typeof value === "string" && /^[!-~]+$/.test(value) ? value : JSON.stringify(value);
}

function writeAll(bytes: Uint8Array): void {
  try {
    for (let written = 0; written < bytes.length;) {
      written += Deno.stderr.writeSync(bytes.subarray(written));
    }
  } catch {
    // Whoever read the log has gone; the gateway must not go with it.
  }
}
