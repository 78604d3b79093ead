import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import { keepLogs, logSink } from "./evidence.ts";

/** What the gateway in this process logs, while it is held. */
export class CapturedLogs implements Disposable {
  readonly records: LogRecord[] = [];

  constructor() {
    configureSync({
      reset: true,
      sinks: { records: (record) => this.records.push(record), kept: logSink },
      loggers: [
        { category: "cxg", sinks: ["records", "kept"], lowestLevel: "debug" },
        { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
      ],
    });
  }

  /** The fields of the first record with this message, if there is one. */
  fieldsOf(message: string): Record<string, unknown> | undefined {
    return this.records.find((record) => record.message.join("") === message)?.properties;
  }

  [Symbol.dispose](): void {
    resetSync();
    keepLogs();
  }
}
