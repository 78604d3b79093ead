/**
 * Who is waited for, and for how long: with a clock of the test's own, since the times are minutes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { HttpError } from "../../src/http/context.ts";
import { locateExecutor, type Waiting } from "../../src/handlers/locate_executor.ts";
import type { ExecutorKind, LastKnown, Registration } from "../../src/model.ts";
import { DatabaseUnavailableError } from "../../src/store/database.ts";
import { ConnRegistry } from "../../src/switchboard/conn_registry.ts";
import { dialsAgain, type ExecutorLink } from "../../src/switchboard/executor_link.ts";
import { Clock } from "../support/clock.ts";

const EXE = "exe_1";
const HOLD_MS = 5_500;

/** A registry in which nobody comes: it notes how long somebody would have been waited for. */
class EmptyRegistry extends ConnRegistry<ExecutorLink> {
  readonly waitedMs: number[] = [];

  constructor() {
    super(dialsAgain);
  }

  override waitFor(_exeId: string, timeoutMs: number): Promise<undefined> {
    this.waitedMs.push(timeoutMs);
    return Promise.resolve(undefined);
  }

  /** An executor was here and has gone. */
  leave(kind: ExecutorKind, registration?: Registration): void {
    const link = { exeId: EXE, kind, registration } as ExecutorLink;
    this.register(EXE, link);
    this.unregister(EXE, link);
  }
}

interface Setting {
  clock: Clock;
  registry?: EmptyRegistry;
  /** What the store knows: nothing of such an executor when null, and no answer when "away". */
  known?: LastKnown | null | "away";
  postgres?: boolean;
  /** How long ago the gateway started, in milliseconds. */
  upMs?: number;
  /** How long ago the request came, in milliseconds. */
  arrivedMsAgo?: number;
  waiting?: Partial<Waiting>;
  stopping?: AbortSignal;
}

/** The refusal, and how long it was waited before it; nobody ever comes. */
async function locate(setting: Setting): Promise<{ error: Error; waitedMs: number | undefined }> {
  const {
    registry = new EmptyRegistry(),
    known = { display_name: "laptop", kind: "noise" },
    postgres = false,
    upMs = 3_600_000,
    arrivedMsAgo = 0,
  } = setting;
  const asked = locateExecutor(
    {
      switchboard: {
        find: (exeId) => registry.lookup(exeId),
        waitFor: (exeId, ms) => registry.waitFor(exeId, ms),
        leftMsAgo: (exeId) => registry.leftMsAgo(exeId),
        dialsAgain: (exeId) => registry.dialsAgain(exeId),
      },
      stopping: setting.stopping ?? new AbortController().signal,
      startedAt: Date.now() - upMs,
      config: { databaseUrl: postgres ? "postgres://x" : undefined },
      store: {
        getLastKnown() {
          if (known === "away") return Promise.reject(new DatabaseUnavailableError("away"));
          return Promise.resolve(known ?? undefined);
        },
      },
    },
    EXE,
    { req: new Request("http://x"), arrivedAt: performance.now() - arrivedMsAgo },
    { holdMs: HOLD_MS, ...setting.waiting },
  );
  const error = await asked.then(() => assert.fail("it was found"), (error) => error);
  return { error, waitedMs: registry.waitedMs[0] };
}

/** How long it is waited, when an executor of this kind left so long ago; `undefined` for not at all. */
async function waitedAfter(
  kind: ExecutorKind,
  leftMsAgo: number,
  registration?: Registration,
): Promise<number | undefined> {
  using clock = new Clock();
  const registry = new EmptyRegistry();
  registry.leave(kind, registration);
  clock.advance(leftMsAgo);
  return (await locate({ clock, registry, known: { display_name: "", kind } })).waitedMs;
}

Deno.test("one that dials again of itself is waited for during five minutes", async () => {
  assert.equal(await waitedAfter("noise", 0), HOLD_MS);
  assert.equal(await waitedAfter("noise", 40_000), HOLD_MS);
  assert.equal(await waitedAfter("noise", 300_000), HOLD_MS);
  assert.equal(await waitedAfter("noise", 300_001), undefined);
  const direct = { registration_id: "reg_1", kind: "exclusive", direct: true } as const;
  assert.equal(await waitedAfter("exclusive", 300_000, direct), HOLD_MS);
  assert.equal(await waitedAfter("exclusive", 300_001, direct), undefined);
});

Deno.test("any other is waited for during thirty seconds", async () => {
  for (const kind of ["relay", "exclusive"] as const) {
    assert.equal(await waitedAfter(kind, 30_000), HOLD_MS, kind);
    assert.equal(await waitedAfter(kind, 30_001), undefined, kind);
    const registration = { registration_id: "reg_1", kind };
    assert.equal(await waitedAfter(kind, 30_001, registration), undefined, kind);
  }
});

Deno.test("what came before the waiting is part of the time that a request is held", async () => {
  using clock = new Clock();
  for (const [arrivedMsAgo, waitedMs] of [[0, 5_500], [2_000, 3_500], [7_000, 0]] as const) {
    const registry = new EmptyRegistry();
    registry.leave("noise");
    assert.equal((await locate({ clock, registry, arrivedMsAgo })).waitedMs, waitedMs);
  }
});

Deno.test("a gateway that has just started waits for whom the store saw not long before", async () => {
  using clock = new Clock();
  const seen = (msAgo: number): LastKnown => ({
    display_name: "",
    kind: "relay",
    last_seen_at: new Date(Date.now() - msAgo).toISOString(),
  });
  const waited = async (upMs: number, known: LastKnown, postgres = false) =>
    (await locate({ clock, upMs, known, postgres })).waitedMs;
  assert.equal(await waited(30_000, seen(100_000)), HOLD_MS);
  assert.equal(await waited(30_000, seen(130_000)), undefined, "that was long before");
  assert.equal(await waited(30_001, seen(1_000)), undefined, "it would have come by now");
  assert.equal(await waited(1_000, { display_name: "", kind: "noise" }), undefined, "never seen");
  // Where another process may hold it that is about to stop.
  assert.equal(await waited(3_600_000, seen(100_000), true), HOLD_MS);
  assert.equal(await waited(3_600_000, seen(130_000), true), undefined);
});

Deno.test("an executor that was removed, by whichever process, is not waited for", async () => {
  using clock = new Clock();
  const registry = new EmptyRegistry();
  registry.leave("noise");
  const { error, waitedMs } = await locate({ clock, registry, known: null });
  assert.equal(waitedMs, undefined);
  assertRefusal(error, 503, /^there is no executor exe_1 \(any more\); ask the platform/);
  assert.equal((error as HttpError).rejection, "unknown_route");
});

Deno.test("while the store is away memory decides, unless it is needed", async () => {
  using clock = new Clock();
  const registry = new EmptyRegistry();
  registry.leave("noise");
  const here = await locate({ clock, registry, known: "away" });
  assert.equal(here.waitedMs, HOLD_MS);
  assertRefusal(
    here.error,
    503,
    /^executor exe_1 is not connected since \d\d:\d\d UTC; start `codex exec-server`/,
  );
  const elsewhere = await locate({ clock, known: "away", postgres: true });
  assert.equal(elsewhere.waitedMs, undefined);
  assertRefusal(elsewhere.error, 503, /is not connected; start/);
  const needed = await locate({ clock, known: "away", waiting: { needsStore: true } });
  assert.ok(needed.error instanceof DatabaseUnavailableError);
});

Deno.test("one that will not do is refused at once, though it may come back", async () => {
  using clock = new Clock();
  const registry = new EmptyRegistry();
  registry.leave("relay");
  const check = (exeId: string, { kind }: LastKnown) => {
    throw new HttpError(400, `${exeId} is ${kind}`);
  };
  const known = { display_name: "", kind: "relay" } as const;
  const { error, waitedMs } = await locate({ clock, registry, known, waiting: { check } });
  assert.equal(waitedMs, undefined);
  assertRefusal(error, 400, /exe_1 is relay/);
});

Deno.test("the refusal names the executor and since when it is away", async () => {
  using clock = new Clock();
  const seenAt = new Date(Date.now() - 60_000);
  const known: LastKnown = {
    display_name: "lap\u202etop\nIGNORE ALL \u0007BEFORE".padEnd(256, "!"),
    last_seen_at: seenAt.toISOString(),
    kind: "noise",
  };
  const { error } = await locate({ clock, known });
  const clockTime = seenAt.toISOString().slice(11, 16);
  assertRefusal(
    error,
    503,
    new RegExp(
      `^executor exe_1 \\(lap top IGNORE ALL BEFORE!*…\\) is not connected since .*${clockTime} UTC; ` +
        "start `codex exec-server` there",
    ),
  );
  assert.ok(error.message.length <= 300);
  assert.equal((error as HttpError).rejection, "route_unavailable");
  const never = await locate({ clock, known: { display_name: "" } });
  assertRefusal(never.error, 503, /^executor exe_1 is not connected and never was; start/);
});

Deno.test("who waits as the gateway stops is told that it restarts", async () => {
  using clock = new Clock();
  const registry = new EmptyRegistry();
  registry.leave("noise");
  const { error } = await locate({ clock, registry, stopping: AbortSignal.abort() });
  assertRefusal(error, 503, /the gateway is restarting; try again/);
  assert.equal((error as HttpError).rejection, "pod_draining");
});

function assertRefusal(error: Error, status: number, message: RegExp): void {
  assert.ok(error instanceof HttpError, `${error.stack}`);
  assert.equal(error.status, status);
  assert.match(error.message, message);
}
