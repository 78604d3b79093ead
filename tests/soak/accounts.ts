/**
 * The sums. They are made when all is quiet: every peer has gone, and the gateway says so.
 *
 * A frame that was sent has come to its counterpart, or was counted as dropped, or belongs to a bridge
 * that ended before it arrived. What is unknown is only what the gateway wrote to a connection that
 * its peer cut or closed while frames were on their way to it: the gateway's own counters must lie
 * between what came and what can have been written. Where nothing was cut, they must be equal.
 *
 * @module
 */
import { type BridgeBook, Count, type Ledger } from "./books.ts";
import type { GatewayLog } from "./gateway_log.ts";
import type { World } from "./world.ts";

/** The samples of `/metrics`. */
export type Samples = ReadonlyMap<string, number>;

/** What a cycle came to. */
export class Totals {
  readonly sent = new Count();
  readonly received = new Count();
  readonly back = new Count();
  readonly home = new Count();
  bridges = 0;
  /** Bridges of which every frame sent either way had to arrive, and did. */
  complete = 0;
  connections = 0;
  /** Frames and bytes of which only one side can know whether the gateway wrote them. */
  readonly unknown = new Count();
  dropped = 0;

  addAll(other: Totals): void {
    for (const key of ["sent", "received", "back", "home", "unknown"] as const) {
      this[key].addAll(other[key]);
    }
    for (const key of ["bridges", "complete", "connections", "dropped"] as const) {
      this[key] += other[key];
    }
  }
}

/** The reasons under which what a peer sent in good faith is dropped, since its bridge has ended. */
const LATE = ["no_bridge", "unknown_stream"];

/**
 * Closes a cycle's books.
 *
 * @param exact whether every connection ended in order, so that every sum must be an equation
 */
export function audit(
  world: World,
  ledger: Ledger,
  log: GatewayLog,
  { before, after, exact }: { before: Samples; after: Samples; exact: boolean },
): Totals {
  const totals = new Totals();
  const bridges = [...ledger.bridges.values()];
  for (const book of bridges) auditBridge(world, book, totals);
  const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  const within = (what: string, value: number, low: number, high: number) => {
    if (exact) high = low;
    world.breaches.unless(
      value >= low && value <= high,
      () => `${what}: ${value}, which is not ${low === high ? low : `from ${low} to ${high}`}`,
    );
  };

  const cutFromExecutor = sum(
    bridges,
    ({ executorLeft, sent, received }) => executorLeft === undefined ? undefined : [sent, received],
  );
  const cutFromHarness = sum(
    bridges,
    ({ end, drained, back, home }) => end === "gateway" || drained ? undefined : [back, home],
  );
  for (const unit of ["frames", "bytes"] as const) {
    const name = unit === "frames" ? "cxg_frames_total" : "cxg_frame_bytes_total";
    const toExecutor = grown(`${name}{to="executor"}`);
    const toHarness = grown(`${name}{to="harness"}`);
    const { received, home } = totals;
    within(
      `${unit} that the gateway says it passed on to executors`,
      toExecutor,
      received[unit],
      received[unit] + cutFromExecutor[unit],
    );
    within(
      `${unit} that the gateway says it passed on to harnesses`,
      toHarness,
      home[unit],
      home[unit] + cutFromHarness[unit],
    );
  }
  totals.unknown.addAll(cutFromExecutor);
  totals.unknown.addAll(cutFromHarness);

  const drops = (reason: string) => grown(`cxg_dropped_frames_total{reason="${reason}"}`);
  // What harnesses sent in good faith goes on, unless the bridge had ended before it arrived.
  const ended = sum(
    bridges,
    ({ end, sent, received }) => end === "own" ? undefined : [sent, received],
  );
  within(
    "frames of harnesses that the gateway did not pass on",
    totals.sent.frames - grown(`cxg_frames_total{to="executor"}`),
    0,
    ended.frames,
  );
  // What executors sent goes on, or is counted as dropped, unless the gateway had closed them.
  const sentByExecutors = new Count();
  const unread = new Count();
  for (const connection of ledger.connections) {
    totals.connections++;
    sentByExecutors.addAll(connection.sent);
    if (connection.end !== "own") unread.addAll(connection.sent);
  }
  const homeOfUnread = new Count();
  for (const { connection, home } of bridges) {
    if (connection !== undefined && connection.end !== "own") homeOfUnread.addAll(home);
  }
  within(
    "frames of executors that were neither passed on nor counted as dropped",
    sentByExecutors.frames - grown(`cxg_frames_total{to="harness"}`) -
      LATE.reduce((sum, reason) => sum + drops(reason), 0),
    0,
    unread.frames - homeOfUnread.frames,
  );
  auditDrops(ledger, log, drops, within);
  totals.dropped = [...after.keys()].filter((name) => name.startsWith("cxg_dropped_frames_total"))
    .reduce((sum, name) => sum + grown(name), 0);
  auditLog(world, ledger, log);
  auditRefusals(world, ledger, grown, after);
  const statements = grown("cxg_store_errors_total");
  world.breaches.unless(statements === 0, () => `${statements} statements of the store failed`);
  return totals;
}

/** What must hold of one bridge by itself. */
function auditBridge({ breaches }: World, book: BridgeBook, totals: Totals): void {
  const { sent, received, back, home, end, drained, executorLeft } = book;
  totals.bridges++;
  totals.sent.addAll(sent);
  totals.received.addAll(received);
  totals.back.addAll(back);
  totals.home.addAll(home);
  const breach = (what: string) => breaches.note(`${describe(book)}: ${what}`);
  const same = (one: Count, other: Count) =>
    one.frames === other.frames && one.bytes === other.bytes;
  const show = ({ frames, bytes }: Count) => `${frames} frames, ${bytes} bytes`;
  if (end === undefined) breach("never ended");
  if (received.frames > sent.frames || home.frames > back.frames) breach("got more than was sent");
  // Its own close frame came last, and the executor was there to get all of it.
  const allSent = end === "own" && executorLeft === undefined;
  if (allSent && !same(sent, received)) {
    breach(`sent ${show(sent)}; its executor got ${show(received)}`);
  }
  // It read to the end: to that of its executor's own close frame.
  const executorClosed = book.endedWith === "1001 executor disconnected" &&
    executorLeft === "own" && book.connection?.end === "own";
  const allBack = drained || (end === "gateway" && executorClosed);
  if (allBack && !same(back, home)) breach(`got ${show(home)}; was sent ${show(back)}`);
  if (allSent && allBack) totals.complete++;
  for (const { id, claimed, resetBy } of book.streams) {
    const told = !claimed || resetBy !== undefined;
    if (!told && book.connection?.end === "own" && executorLeft === undefined) {
      breach(`the executor was not told that ${id} is over`);
    }
  }
}

function auditDrops(
  { bridges, connections }: Ledger,
  log: GatewayLog,
  drops: (reason: string) => number,
  within: (what: string, value: number, low: number, high: number) => void,
): void {
  const reasons = [
    "text_frame",
    "malformed",
    "bad_version",
    "bad_stream_id",
    "unclaimed_stream",
    "before_handshake",
    "too_large",
  ];
  const peers = [...bridges.values(), ...connections];
  for (const reason of reasons) {
    const of = (some: readonly { bad: { counts: ReadonlyMap<string, number> } }[]) =>
      some.reduce((sum, { bad }) => sum + (bad.counts.get(reason) ?? 0), 0);
    const processed = of(peers.filter(({ end }) => end === "own"));
    within(`frames dropped as ${reason}`, drops(reason), processed, of(peers));
  }
  for (const reason of [...reasons, ...LATE]) {
    const logged = log.dropped.get(reason) ?? 0;
    // A frame that comes after its connection's end was logged is counted, but not logged any more.
    within(`frames logged as dropped for ${reason}`, logged, drops(reason), drops(reason));
  }
}

/** Every connection and every bridge that the gateway began, it ended, once. */
function auditLog(
  { breaches }: World,
  { joined, abandoned, connections }: Ledger,
  log: GatewayLog,
) {
  const connected = log.count("executor connected");
  const disconnected = log.count("executor disconnected");
  breaches.unless(
    connected === disconnected && connected === connections.length,
    () =>
      `${connections.length} executors dialled in; by the log ${connected} did, ${disconnected} went`,
  );
  const ended = log.count("bridge ended");
  breaches.unless(
    ended >= joined && ended <= joined + abandoned,
    () => `${joined} bridges were opened, ${abandoned} abandoned; by the log ${ended} ended`,
  );
}

/** Every refusal that somebody read was counted, and no other but of those who did not wait for it. */
function auditRefusals(
  { breaches }: World,
  { refusals, abandoned }: Ledger,
  grown: (name: string) => number,
  after: Samples,
): void {
  /** By status and route, whatever the reason. */
  const counts = new Map<string, number>();
  for (const name of after.keys()) {
    const labels = /^cxg_refusals_total\{route="(.*)",status="(\d+)",reason="\w+"\}$/.exec(name);
    if (labels === null) continue;
    const key = `${labels[2]} ${labels[1]}`;
    counts.set(key, (counts.get(key) ?? 0) + grown(name));
  }
  const unread = new Map<string, number>();
  for (const key of new Set([...counts.keys(), ...refusals.keys()])) {
    const [status, route] = key.split(" ") as [string, string];
    const seen = refusals.get(key) ?? 0;
    const counted = counts.get(key) ?? 0;
    unread.set(route, (unread.get(route) ?? 0) + counted - seen);
    breaches.unless(
      counted >= seen,
      () => `${route} refused ${seen} with ${status}, and counted ${counted}`,
    );
    breaches.unless(status !== "500" || counted === 0, () => `${route} answered 500`);
  }
  for (const [route, count] of unread) {
    const most = route === "/bridge/:exe_id" ? abandoned : 0;
    breaches.unless(count <= most, () => `${route} counted ${count} refusals that nobody read`);
  }
}

/** A bridge and what became of it and of its executor. */
function describe({ id, exe, end, endedWith, connection, executorLeft, streams }: BridgeBook) {
  const states = streams.map(({ claimed, resetBy }) => resetBy ?? (claimed ? "up" : "unclaimed"));
  return `bridge ${id} (${end}, ${endedWith}; streams: ${states.join(", ") || "none"}) ` +
    `of ${exe.kind} executor ${exe.exeId} (${connection?.end}, ${connection?.endedWith}, ` +
    `left: ${executorLeft})`;
}

/** Sums up what of `pick`'s first count is not in its second. */
function sum(
  bridges: readonly BridgeBook[],
  pick: (book: BridgeBook) => readonly [Count, Count] | undefined,
): Count {
  const total = new Count();
  for (const book of bridges) {
    const [all, part] = pick(book) ?? [new Count(), new Count()];
    total.frames += all.frames - part.frames;
    total.bytes += all.bytes - part.bytes;
  }
  return total;
}
