-- Revocations outlive the process, and those that its memory has no room for are looked up here.
CREATE TABLE revoked_turns (
  turn_id text PRIMARY KEY,
  exp bigint NOT NULL,
  revoked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX revoked_turns_by_exp ON revoked_turns (exp);
