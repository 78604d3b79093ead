/**
 * Why requests are refused, each in one word that stays: for the log, the metrics, and docs/refusals.md, which
 * says of each what it means and where to look.
 *
 * @module
 */

/** Where the status alone says it. */
export const REASON_OF_STATUS = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  409: "conflict",
  413: "payload_too_large",
  426: "upgrade_required",
  429: "too_many_failures",
  499: "client_closed_request",
  500: "internal",
  503: "unavailable",
} as const satisfies Readonly<Record<number, string>>;

/** Where the status alone does not. */
export const REASONS = [
  "bad_body",
  "bad_target",
  "bcrypt_busy",
  "clocks_apart",
  "contested",
  "database_away",
  "database_full",
  "database_read_only",
  "executor_held",
  "executor_unbound",
  "handshakes_failed",
  "workspace_handshakes_failed",
  "too_many_bridges",
  "not_connected",
  "peers_stopped_reading",
  "registered_anew",
  "registration_token_missing",
  "release_does_not_fit",
  "restarting",
  "secret_missing",
  "signature_malformed",
  "signature_missing",
  "signature_used",
  "ticket_expired",
  "ticket_other_executor",
  "ticket_used",
  "token_expired",
  "token_malformed",
  "token_missing",
  "token_other_executor",
  "token_other_workspace",
  "too_many_connections",
  "too_many_wrong_secrets",
  "too_many_wrong_tokens",
  "turn_revoked",
  "unknown_executor",
  "user_missing",
  "workspace_revoked",
  "wrong_internal_secret",
  "wrong_registration_token",
  "wrong_signature",
  "wrong_ticket",
  "wrong_token_signature",
] as const;

/** Why a request was refused. */
export type RefusalReason =
  | typeof REASONS[number]
  | typeof REASON_OF_STATUS[keyof typeof REASON_OF_STATUS]
  | "refused";

/** The reason for a status, where nothing else is known. */
export function reasonOfStatus(status: number): RefusalReason {
  const reasons: Readonly<Record<number, RefusalReason>> = REASON_OF_STATUS;
  return reasons[status] ?? "refused";
}
