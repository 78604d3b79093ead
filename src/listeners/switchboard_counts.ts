import type { ExecutorKind } from "../model.ts";
import type { SwitchboardEvent } from "../switchboard/events.ts";
import { Histogram } from "../metrics/histogram.ts";
import { LabelledCounter } from "../metrics/labelled_counter.ts";

/** From a connect on this machine to one that waited for its executor, in seconds. */
const OPENING_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** From a turn that asked one thing to one that goes on for a day, in seconds. */
const LASTING_BUCKETS_S = [0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

/** What has happened on the switchboard since the process began, for the metrics. */
export class SwitchboardCounts {
  readonly connects = new LabelledCounter<{ kind: ExecutorKind }>();
  readonly disconnects = new LabelledCounter<{ kind: ExecutorKind; by: string; reason: string }>();
  readonly bridges = new LabelledCounter<{ kind: ExecutorKind }>();
  readonly bridgeEnds = new LabelledCounter<{ kind: ExecutorKind; by: string; reason: string }>();
  /** From the arrival of a harness's request to its open bridge. */
  readonly openingSeconds = new Histogram(OPENING_BUCKETS_S);
  readonly bridgeSeconds = new Histogram(LASTING_BUCKETS_S);
  readonly connectionSeconds = new Histogram(LASTING_BUCKETS_S);

  /** Counts an event. */
  count(event: SwitchboardEvent): void {
    switch (event.type) {
      case "executor connected":
        return this.connects.add({ kind: event.connection.link.kind });
      case "executor left": {
        const { connection: { link: { kind } }, cause: { by, label } } = event;
        this.disconnects.add({ kind, by, reason: label });
        return this.connectionSeconds.observe(event.ms / 1000);
      }
      case "bridge opened":
        this.bridges.add({ kind: event.bridge.kind });
        return this.openingSeconds.observe(event.ms / 1000);
      case "bridge ended": {
        const { bridge: { kind }, cause: { by, label } } = event;
        this.bridgeEnds.add({ kind, by, reason: label });
        return this.bridgeSeconds.observe(event.ms / 1000);
      }
    }
  }
}
