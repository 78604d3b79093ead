import type { ExecutorKind } from "../model.ts";
import { droppedLogLines } from "../log/logging.ts";
import { processFamilies } from "../metrics/process.ts";
import { CONTENT_TYPE, type Family, renderFamilies } from "../metrics/prometheus.ts";
import type { Services } from "../services.ts";
import { spentShares } from "../switchboard/turns.ts";
import type { Side } from "../switchboard/wire.ts";

/** `GET /metrics`: the gateway's counters in the Prometheus text format. */
export function metrics(services: Services): Response {
  const headers = { "content-type": CONTENT_TYPE };
  return new Response(renderFamilies([...families(services), ...processFamilies()]), { headers });
}

function families(services: Services): Family[] {
  const {
    switchboard,
    switchboardCounts: counts,
    refusals,
    registrationTokens,
    openSockets,
    store,
  } = services;
  const { traffic, pressure, contention } = switchboard;
  const executors: Record<ExecutorKind, number> = { exclusive: 0, relay: 0, noise: 0 };
  let bridges = 0;
  let streams = 0;
  for (const link of switchboard.connected()) {
    executors[link.kind]++;
    bridges += link.bridgeCount;
    streams += link.streamCount;
  }
  const one = (value: number) => [[{}, value]] as const;
  const eachWay = (toExecutor: number, toHarness: number) =>
    [[{ to: "executor" }, toExecutor], [{ to: "harness" }, toHarness]] as const;
  const bySide = ({ executor, harness }: Record<Side, number>) =>
    [[{ side: "executor" }, executor], [{ side: "harness" }, harness]] as const;
  const { queries, errors, seconds } = store.statistics;
  return [
    {
      name: "cxg_executors",
      help: "Executors that are connected, by the kind of their socket.",
      type: "gauge",
      samples: Object.entries(executors).map(([kind, count]) => [{ kind }, count] as const),
    },
    {
      name: "cxg_executor_connects_total",
      help: "Executors that dialled in, by the kind of their socket.",
      type: "counter",
      samples: counts.connects.samples,
    },
    {
      name: "cxg_executor_disconnects_total",
      help: "Executors' connections that are over, by who ended them and why.",
      type: "counter",
      samples: counts.disconnects.samples,
    },
    {
      name: "cxg_executor_connection_seconds",
      help: "How long executors' connections lasted that are over.",
      type: "histogram",
      samples: counts.connectionSeconds.samples,
    },
    {
      name: "cxg_bridges_total",
      help: "Bridges that were opened, by the kind of the executor's socket.",
      type: "counter",
      samples: counts.bridges.samples,
    },
    {
      name: "cxg_bridge_ends_total",
      help: "Bridges that are over, by who ended them and why.",
      type: "counter",
      samples: counts.bridgeEnds.samples,
    },
    {
      name: "cxg_bridge_open_seconds",
      help: "How long it took from a harness's request to its open bridge, waiting included.",
      type: "histogram",
      samples: counts.openingSeconds.samples,
    },
    {
      name: "cxg_bridge_seconds",
      help: "How long bridges lasted that are over.",
      type: "histogram",
      samples: counts.bridgeSeconds.samples,
    },
    {
      name: "cxg_executors_contested",
      help: "Executors whose registration token several machines seem to use.",
      type: "gauge",
      samples: one(contention.contested),
    },
    {
      name: "cxg_executor_replacements_total",
      help: "Connections of executors that a newer one of the same executor took the place of.",
      type: "counter",
      samples: one(contention.replacements),
    },
    { name: "cxg_bridges", help: "Bridges that are up.", type: "gauge", samples: one(bridges) },
    {
      name: "cxg_streams",
      help: "Streams that bridges hold.",
      type: "gauge",
      samples: one(streams),
    },
    {
      name: "cxg_buffered_bytes",
      help: "Bytes that wait to be sent on websockets.",
      type: "gauge",
      samples: one(openSockets.bufferedBytes),
    },
    {
      name: "cxg_buffered_bytes_max",
      help: "How many may wait before those that most waits for are held.",
      type: "gauge",
      samples: one(openSockets.maxBufferedBytes),
    },
    {
      name: "cxg_left_behind",
      help: "Websockets closed or given up whose peers have not taken what was sent to them.",
      type: "gauge",
      samples: one(openSockets.leftBehind),
    },
    {
      name: "cxg_spent_shares_total",
      help:
        "How often a peer sent its share of a turn of the event loop, and waited for the others.",
      type: "counter",
      samples: one(spentShares()),
    },
    {
      name: "cxg_held",
      help:
        "Directions of bridges whose sender is held because its peer reads slowly, by who sends.",
      type: "gauge",
      samples: bySide(pressure.held),
    },
    {
      name: "cxg_held_seconds_total",
      help: "How long senders were held, all of them together, by who sends.",
      type: "counter",
      samples: bySide(pressure.seconds),
    },
    {
      name: "cxg_frames_total",
      help: "Frames passed on.",
      type: "counter",
      samples: eachWay(traffic.framesToExecutor, traffic.framesToHarness),
    },
    {
      name: "cxg_frame_bytes_total",
      help: "Bytes of the frames passed on; a text frame's length in UTF-16 units.",
      type: "counter",
      samples: eachWay(traffic.bytesToExecutor, traffic.bytesToHarness),
    },
    {
      name: "cxg_dropped_frames_total",
      help: "Frames dropped, by reason.",
      type: "counter",
      samples: [...traffic.drops].map(([reason, count]) => [{ reason }, count] as const),
    },
    {
      name: "cxg_refusals_total",
      help: "Requests refused, by route, status and reason.",
      type: "counter",
      samples: refusals.samples,
    },
    {
      name: "cxg_log_lines_dropped_total",
      help: "Log lines dropped, because their reader did not keep up.",
      type: "counter",
      samples: one(droppedLogLines()),
    },
    {
      name: "cxg_bcrypt_waiting",
      help: "Registration tokens that are being checked or hashed, or wait for it.",
      type: "gauge",
      samples: one(registrationTokens.waiting),
    },
    {
      name: "cxg_bcrypt_runs_total",
      help: "Registration tokens that bcrypt has checked or hashed, or was asked to.",
      type: "counter",
      samples: one(registrationTokens.runs),
    },
    {
      name: "cxg_store_queries_total",
      help: "Statements sent to the store.",
      type: "counter",
      samples: one(queries),
    },
    {
      name: "cxg_store_errors_total",
      help: "Statements that failed.",
      type: "counter",
      samples: one(errors),
    },
    {
      name: "cxg_store_query_seconds_total",
      help: "Time that statements took, all together.",
      type: "counter",
      samples: one(seconds),
    },
  ];
}
