import { log } from "../log/logging.ts";
import type { BridgeInfo, SwitchboardEvent } from "../switchboard/events.ts";

/** Writes the log's lines of what happens on the switchboard. */
export function logEvent(event: SwitchboardEvent): void {
  switch (event.type) {
    case "executor connected": {
      const { link, remote } = event.connection;
      return log.info("executor connected", { exe_id: link.exeId, kind: link.kind, remote });
    }
    case "executor replaced":
      return logReplacement(event);
    case "executor left": {
      const { connection: { link, remote }, cause, ms } = event;
      return log.info("executor disconnected", {
        exe_id: link.exeId,
        remote,
        ...causeFields(cause),
        seconds: seconds(ms),
        dropped_frames: link.drops.byReason(),
      });
    }
    case "bridge opened":
      return log.info("bridge opened", bridgeFields(event.bridge));
    case "bridge ended": {
      const { bridge, cause, passed, ms } = event;
      return log.info("bridge ended", {
        ...bridgeFields(bridge),
        ...causeFields(cause),
        seconds: seconds(ms),
        frames_to_executor: passed.framesToExecutor,
        bytes_to_executor: passed.bytesToExecutor,
        frames_to_harness: passed.framesToHarness,
        bytes_to_harness: passed.bytesToHarness,
        executor_held_ms: passed.executorHeldMs,
        harness_held_ms: passed.harnessHeldMs,
      });
    }
  }
}

function logReplacement(
  { exeId, remote, earlierRemote, earlierAgeMs, lately, beginsContest }: Extract<
    SwitchboardEvent,
    { type: "executor replaced" }
  >,
): void {
  const fields = {
    exe_id: exeId,
    remote,
    earlier_remote: earlierRemote,
    earlier_lasted_s: Math.round(earlierAgeMs / 1000),
  };
  log.warn("executor dialled in anew: its earlier connection is closed", fields);
  if (!beginsContest) return;
  log.error(
    "two machines seem to use one registration token, and take the executor from each other: give each " +
      "an executor and a token of its own (executor add). For a minute the one that is connected is kept",
    { ...fields, replaced_within_a_minute: lately },
  );
}

function bridgeFields({ exeId, turnId, workspaceId, remote }: BridgeInfo) {
  return { exe_id: exeId, turn_id: turnId, workspace_id: workspaceId, remote };
}

function causeFields(
  { by, label, code, reason }: { by: string; label: string; code: number; reason: string },
) {
  return { by, why: label, code, reason };
}

/** To a thousandth. */
function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
