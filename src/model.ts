/**
 * The DTOs: what the store returns and the API sends, with the JSON field names of the wire
 * contract. Times are RFC 3339 strings in UTC. No behaviour lives here.
 *
 * @module
 */

/** A machine that runs `codex exec-server` and dials in. */
export interface Executor {
  exe_id: string;
  user_id: string;
  display_name: string;
  description: string;
  default_cwd: string;
  registered_at: string;
  /** When it was last seen connected; absent when it never was. */
  last_seen_at?: string;
}

/** An executor as an administrator sees it, with the workspaces that may reach it. */
export interface AdminExecutor extends Omit<Executor, "display_name"> {
  /** Its display name. */
  name: string;
  /** In the order of binding. */
  workspaces: readonly { workspace_id: string; is_default: boolean }[];
}

/** A binding: the workspace may reach the executor. */
export interface WorkspaceExecutor {
  workspace_id: string;
  exe_id: string;
  is_default: boolean;
  bound_at: string;
}

/** An executor as a workspace sees it, in the order of binding. */
export interface ConnectedExecutor {
  exe_id: string;
  /** Its display name. */
  name: string;
  description: string;
  default_cwd: string;
  is_default: boolean;
  /** When it was last seen connected; absent when it never was. */
  last_seen_at?: string;
}

/**
 * How an executor's socket is shared, which follows from how it came: `exclusive` serves one bridge
 * at a time, `relay` and `noise` carry many streams.
 */
export type ExecutorKind = "exclusive" | "relay" | "noise";

/** What a `register` call of an executor left behind, and its socket comes by. */
export interface Registration {
  registration_id: string;
  kind: ExecutorKind;
  /** Of a direct executor, which signs its calls; nothing of it is stored. */
  direct?: true;
  /** Of a Noise executor: which suite it speaks. */
  security_profile?: string;
  /** Of a Noise executor: its public key, opaque to the gateway and handed back as it came. */
  executor_public_key?: unknown;
}

/** That an executor was seen connected. */
export interface Sighting {
  exe_id: string;
  /** The registration that its connection came by; absent when it dialled with its registration token. */
  registration_id?: string;
  /** Whether it has dialled in just now. */
  dialled?: boolean;
}

/** What is known of an executor that is not connected here. */
export interface LastKnown {
  display_name: string;
  /** When it was last seen connected, by whichever process; absent when it never was. */
  last_seen_at?: string;
  /** Of its newest registration; absent when it has none. */
  kind?: ExecutorKind;
}
