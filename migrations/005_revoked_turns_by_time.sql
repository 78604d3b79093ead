-- Every gateway process asks twice a second for what others have revoked since.
CREATE INDEX revoked_turns_by_time ON revoked_turns (revoked_at);
