-- What one process ends, every process on the database has to end: each looks here for what is new.

-- An executor was removed, or was given another registration token: by whom and how does not matter.
CREATE TABLE executor_changes (
  change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  exe_id text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX executor_changes_by_time ON executor_changes (changed_at);

CREATE FUNCTION note_executor_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO executor_changes (exe_id) VALUES (OLD.exe_id);
  RETURN NULL;
END
$$;

CREATE TRIGGER note_executor_removed AFTER DELETE ON executors FOR EACH ROW
  EXECUTE FUNCTION note_executor_change();

CREATE TRIGGER note_registration_token_replaced AFTER UPDATE ON executors FOR EACH ROW
  WHEN (NEW.registration_token_hash <> OLD.registration_token_hash)
  EXECUTE FUNCTION note_executor_change();

-- Of a workspace's capability tokens, those that were issued up to a time are good no more.
CREATE TABLE revoked_workspaces (
  workspace_id text PRIMARY KEY,
  -- Unix seconds, as the tokens have them.
  issued_until bigint NOT NULL,
  -- Until when a token that was issued by then can live, in unix seconds.
  exp bigint NOT NULL,
  revoked_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX revoked_workspaces_by_time ON revoked_workspaces (revoked_at);
