import type { ExecutorKind } from "../model.ts";
import type { Services } from "../services.ts";

/** What a family of samples is called, what it counts, and its samples with their labels. */
interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly (readonly [Record<string, string>, number])[];
}

/** `GET /metrics`: the gateway's counters in the Prometheus text format. */
export async function metrics(services: Services): Promise<Response> {
  // Loaded at the first scrape: a gateway that is not scraped need not wait for it at its start.
  const { default: prometheus } = await import("prom-client");
  const registry = new prometheus.Registry();
  for (const { name, help, type, samples } of families(services)) {
    const labelNames = [...new Set(samples.flatMap(([labels]) => Object.keys(labels)))];
    const options = { name: `cxg_${name}`, help, labelNames, registers: [registry] };
    const metric = type === "gauge"
      ? new prometheus.Gauge(options)
      : new prometheus.Counter(options);
    for (const [labels, value] of samples) metric.inc(labels, value);
  }
  return new Response(await registry.metrics(), {
    headers: { "content-type": registry.contentType },
  });
}

function families(services: Services): Family[] {
  const { registry, traffic, refusals, registrationTokens, openSockets, store } = services;
  const executors: Record<ExecutorKind, number> = { exclusive: 0, relay: 0, noise: 0 };
  let bridges = 0;
  let streams = 0;
  for (const exeId of registry.connectedIds()) {
    const link = registry.lookup(exeId)!;
    executors[link.kind]++;
    bridges += link.bridgeCount;
    streams += link.streamCount;
  }
  const one = (value: number) => [[{}, value]] as const;
  const eachWay = (toExecutor: number, toHarness: number) =>
    [[{ to: "executor" }, toExecutor], [{ to: "harness" }, toHarness]] as const;
  const { queries, errors, seconds } = store.statistics;
  return [
    {
      name: "executors",
      help: "Executors that are connected, by the kind of their socket.",
      type: "gauge",
      samples: Object.entries(executors).map(([kind, count]) => [{ kind }, count] as const),
    },
    { name: "bridges", help: "Bridges that are up.", type: "gauge", samples: one(bridges) },
    { name: "streams", help: "Streams that bridges hold.", type: "gauge", samples: one(streams) },
    {
      name: "buffered_bytes",
      help: "Bytes that wait to be sent on websockets.",
      type: "gauge",
      samples: one(openSockets.bufferedBytes),
    },
    {
      name: "frames_total",
      help: "Frames passed on.",
      type: "counter",
      samples: eachWay(traffic.framesToExecutor, traffic.framesToHarness),
    },
    {
      name: "frame_bytes_total",
      help: "Bytes of the frames passed on; a text frame's length in UTF-16 units.",
      type: "counter",
      samples: eachWay(traffic.bytesToExecutor, traffic.bytesToHarness),
    },
    {
      name: "dropped_frames_total",
      help: "Frames dropped, by reason.",
      type: "counter",
      samples: [...traffic.drops].map(([reason, count]) => [{ reason }, count] as const),
    },
    {
      name: "refusals_total",
      help: "Requests refused, by route and status.",
      type: "counter",
      samples: refusals.samples(),
    },
    {
      name: "bcrypt_waiting",
      help: "Registration tokens that are being checked or hashed, or wait for it.",
      type: "gauge",
      samples: one(registrationTokens.waiting),
    },
    {
      name: "store_queries_total",
      help: "Statements sent to the store.",
      type: "counter",
      samples: one(queries),
    },
    {
      name: "store_errors_total",
      help: "Statements that failed.",
      type: "counter",
      samples: one(errors),
    },
    {
      name: "store_query_seconds_total",
      help: "Time that statements took, all together.",
      type: "counter",
      samples: one(seconds),
    },
  ];
}
