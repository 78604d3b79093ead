/**
 * The program and its process, by the names that Prometheus's own client libraries give them. Those of file
 * descriptors are not among them: Deno 2.9.6 lets nobody look into `/proc/self` who may not do everything.
 *
 * Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 *
 * @module
 */
import process from "node:process";
import program from "../../deno.json" with { type: "json" };
import type { Family } from "./prometheus.ts";

/** What there is to say of the program and its process now. */
export function processFamilies(): Family[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: "cxg_build_info",
      help: "The program's version and its runtime's.",
      type: "gauge",
      samples: [[{ version: program.version, deno: Deno.version.deno }, 1]],
    },
    {
      name: "process_cpu_seconds_total",
      help: "CPU time of the process, user and system, all threads together.",
      type: "counter",
      samples: [[{}, (user + system) / 1e6]],
    },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory of the process.",
      type: "gauge",
      samples: [[{}, Deno.memoryUsage().rss]],
    },
    {
      name: "process_start_time_seconds",
      help: "When the process started, in unix seconds.",
      type: "gauge",
      samples: [[{}, performance.timeOrigin / 1000]],
    },
  ];
}
