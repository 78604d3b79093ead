import type { DirectKeys } from "./auth/direct_keys.ts";
import type { RegistrationTokens } from "./auth/registration_tokens.ts";
import type { SingleUse } from "./auth/single_use.ts";
import type { Tickets } from "./auth/tickets.ts";
import type { WrongSecrets, WrongTokens } from "./limits/wrong_tokens.ts";
import type { TrustedProxies } from "./limits/client_address.ts";
import type { AwaitedDials } from "./presence/awaited_dials.ts";
import type { Config } from "./config.ts";
import type { Holdings } from "./limits/quota.ts";
import type { LastSeen } from "./presence/last_seen.ts";
import type { Pacer } from "./limits/arrivals.ts";
import type { Refusals } from "./http/refusals.ts";
import type { Revocations } from "./turns/revocations.ts";
import type { RevokedWorkspaces } from "./turns/revoked_workspaces.ts";
import type { Store } from "./store/store.ts";
import type { SwitchboardCounts } from "./listeners/switchboard_counts.ts";
import type { OpenSockets } from "./switchboard/open_sockets.ts";
import type { Switchboard } from "./switchboard/switchboard.ts";

/** What the server owns and its handlers use. */
export interface Services {
  readonly config: Config;
  readonly store: Store;
  readonly switchboard: Switchboard;
  readonly switchboardCounts: SwitchboardCounts;
  readonly revocations: Revocations;
  readonly revokedWorkspaces: RevokedWorkspaces;
  readonly registrationTokens: RegistrationTokens;
  readonly wrongTokens: WrongTokens;
  readonly wrongSecrets: WrongSecrets;
  readonly tickets: Tickets;
  /** The harness tickets that have opened their bridge. */
  readonly usedTickets: SingleUse;
  /** Of direct executors. */
  readonly directKeys: DirectKeys;
  /** The signatures of direct executors that have opened their websocket. */
  readonly usedSignatures: SingleUse;
  readonly lastSeen: LastSeen;
  readonly awaitedDials: AwaitedDials;
  readonly refusals: Refusals;
  /** Of executors, that register or dial in. */
  readonly arrivals: Pacer;
  readonly openSockets: OpenSockets;
  readonly trustedProxies: TrustedProxies;
  /** The connections that each source holds: requests in hand, and websockets. */
  readonly connections: Holdings;
  /** When this process began to serve, in unix milliseconds. */
  readonly startedAt: number;
  /** Aborted when the gateway begins to stop. */
  readonly stopping: AbortSignal;
}
