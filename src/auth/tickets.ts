/**
 * Tickets: what `register` and `connect` hand out, so that long-lived secrets stay out of URLs. Each
 * names the registration it came from, so that it dies with it.
 *
 * @module
 */
import type { Registration } from "../model.ts";
import { Sealed } from "./signed_payload.ts";

/**
 * In the URL that `register` returns: this registration of this executor may dial in. codex from 0.142
 * on dials the same URL for as long as it lives, so no end is written in it: it ends with the
 * registration, some time after that was last used (`store/registrations.ts`).
 */
export interface ExecutorTicket extends Pick<Registration, "registration_id" | "kind"> {
  exe_id: string;
}

/** In the URL that `connect` returns: this turn may open one bridge, soon. */
export interface HarnessTicket {
  /** Tells it from every other ticket: it is good once. */
  ticket_id: string;
  exe_id: string;
  registration_id: string;
  turn_id: string;
  workspace_id: string;
  /** Unix seconds. */
  exp: number;
  /** Of the capability token that it was made from: when that was issued and expires, in unix seconds. */
  iat: number;
  token_exp: number;
  /** Whether that token names no executor, and stands for its workspace's. */
  by_workspace: boolean;
}

/** What `connect` gives a harness to show to the executor: this key may speak for this turn. */
export interface KeyAuthorization {
  exe_id: string;
  registration_id: string;
  turn_id: string;
  /** The digest of the harness's public key; see `publicKeyDigest`. */
  key_digest: string;
  /** Unix seconds. */
  exp: number;
}

/** Makes and checks all three, each with a key of its own. */
export interface Tickets {
  readonly executor: Sealed<ExecutorTicket>;
  readonly harness: Sealed<HarnessTicket>;
  readonly keyAuthorization: Sealed<KeyAuthorization>;
}

/**
 * @param secret the gateway's capability-token secret, of which the keys are derived
 * @param previous another, of which what was made is good too
 */
export async function deriveTickets(
  secret: Uint8Array<ArrayBuffer>,
  previous?: Uint8Array<ArrayBuffer>,
): Promise<Tickets> {
  return {
    executor: await Sealed.derive("cxgx", "executor ticket", secret, previous),
    harness: await Sealed.derive("cxgh", "harness ticket", secret, previous),
    keyAuthorization: await Sealed.derive("cxga", "harness key authorization", secret, previous),
  };
}
