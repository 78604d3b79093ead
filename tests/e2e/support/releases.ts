/**
 * The releases that are tried together, and what is expected of them.
 *
 * @module
 */

/** An executor and a harness, and where their releases differ. */
export interface Pair {
  executor: string;
  harness: string;
  /** How the executor's socket is shared; see protocol.md section 3. */
  kind: "exclusive" | "relay" | "noise";
  /** Whether it is started as a direct executor, with a key pair: docs/direct.md. */
  direct?: boolean;
  /** How long a dead harness's command may go on, in milliseconds. */
  orphanMs: number;
  /** Whether the executor outlives a gateway whose port is closed for a moment. */
  outlivesGateway: boolean;
}

export const PAIRS: readonly Pair[] = [
  {
    executor: "0.130.0",
    harness: "0.130.0",
    kind: "exclusive",
    orphanMs: 20_000,
    outlivesGateway: false,
  },
  {
    executor: "0.140.0",
    harness: "0.140.0",
    kind: "relay",
    orphanMs: 20_000,
    outlivesGateway: false,
  },
  {
    executor: "0.169.0",
    harness: "0.169.0",
    kind: "noise",
    orphanMs: 150_000,
    outlivesGateway: true,
  },
  {
    executor: "0.142.5",
    harness: "0.169.0",
    kind: "noise",
    orphanMs: 150_000,
    outlivesGateway: true,
  },
  {
    executor: "0.171.0",
    harness: "0.171.0",
    kind: "noise",
    orphanMs: 150_000,
    outlivesGateway: true,
  },
  {
    executor: "0.142.5",
    harness: "0.171.0",
    kind: "noise",
    orphanMs: 150_000,
    outlivesGateway: true,
  },
  {
    executor: "0.171.0",
    harness: "0.169.0",
    kind: "noise",
    orphanMs: 150_000,
    outlivesGateway: true,
  },
  {
    executor: "0.171.0",
    harness: "0.171.0",
    kind: "exclusive",
    direct: true,
    orphanMs: 150_000,
    outlivesGateway: true,
  },
];

/** Every release that was tried, each with its own. */
export const RELEASES: readonly string[] = [
  "0.130.0",
  "0.131.0",
  "0.137.0",
  "0.140.0",
  "0.142.5",
  "0.150.1",
  "0.160.1",
  "0.169.0",
  "0.171.0",
];

/** Executors that dial the URL of their registration again, and register where it is refused. */
export const DIALS_ITS_URL_AGAIN: readonly string[] = ["0.142.5", "0.160.1", "0.169.0", "0.171.0"];
