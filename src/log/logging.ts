/**
 * Structured logs on standard error: text on a terminal, else one JSON object a line. Lines wait in a
 * queue, so that a reader that stops reading stops nothing but its log.
 *
 * @module
 */
import {
  configureSync,
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getLogger,
  type Logger,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import type { LogLevel } from "../config.ts";
import { LogQueue } from "./log_queue.ts";
import { oneLine } from "../text/one_line.ts";

/** The gateway's logger. Nothing is written before {@linkcode configureLogging}. */
export const log: Logger = getLogger("cxg");

let queue: LogQueue | undefined;

/** How many lines were dropped since the process began, because nobody read those before them. */
export function droppedLogLines(): number {
  return queue?.dropped ?? 0;
}

/** Resolves when every line that was logged is written: never, when nobody reads them. */
export async function logsWritten(): Promise<void> {
  await queue?.drained();
}

/**
 * Starts logging.
 *
 * @param level the least severe level that is written
 * @param terminal whether a person reads it; by default whether standard error is a terminal
 */
export function configureLogging(level: LogLevel, terminal = Deno.stderr.isTerminal()): void {
  const format = terminal ? textFormatter() : jsonFormatter();
  const dropLine = (dropped: number) => format(dropRecord(dropped));
  const lines = queue = new LogQueue(Deno.stderr, dropLine);
  configureSync({
    reset: true,
    sinks: { stderr: (record) => lines.push(format(record)) },
    loggers: [
      { category: "cxg", sinks: ["stderr"], lowestLevel: level === "warn" ? "warning" : level },
      { category: ["logtape", "meta"], sinks: ["stderr"], lowestLevel: "warning" },
    ],
  });
}

function jsonFormatter(): TextFormatter {
  const format = getJsonLinesFormatter({ properties: "flatten" });
  return (record) => `${oneLine(format(record).trimEnd())}\n`;
}

function textFormatter(): TextFormatter {
  const format = getAnsiColorFormatter({ timestamp: "time", category: () => "" });
  return (record) => {
    const fields = Object.entries(record.properties)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => ` ${name}=${fieldText(value)}`)
      .join("");
    const message = record.message.map((part) => typeof part === "string" ? oneLine(part) : part);
    return `${format({ ...record, message }).trimEnd()}${fields}\n`;
  };
}

/** A field's value, quoted when it would not stay one word on one line. */
function fieldText(value: unknown): string {
  if (typeof value === "string" && /^[!-~]+$/.test(value)) return value;
  return oneLine(JSON.stringify(value));
}

/** What is said where lines are missing. */
function dropRecord(dropped: number): LogRecord {
  const message = "log lines were dropped: their reader did not keep up";
  return {
    category: ["cxg"],
    level: "warning",
    message: [message],
    rawMessage: message,
    timestamp: Date.now(),
    properties: { dropped },
  };
}
