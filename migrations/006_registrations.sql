-- What register calls left behind, several for an executor: a call that is not followed by a dial must not
-- end the one by which its executor is connected. Times are the database's, so that all processes agree.
CREATE TABLE registrations (
  exe_id text NOT NULL REFERENCES executors (exe_id) ON DELETE CASCADE,
  registration_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('exclusive', 'relay', 'noise')),
  security_profile text,
  -- As text, not jsonb, which would not give it back unchanged.
  executor_public_key text,
  -- When it was last made, dialled in by, seen connected by, or left: its ticket ends some time after.
  last_used_at timestamptz NOT NULL DEFAULT now(),
  -- When an executor last dialled in by it; null until one has.
  dialled_at timestamptz,
  PRIMARY KEY (exe_id, registration_id)
);

INSERT INTO registrations
  SELECT exe_id, registration_id, registration_kind, security_profile, executor_public_key,
    coalesce(last_seen_at, now()), last_seen_at
  FROM executors WHERE registration_id IS NOT NULL;

-- Another registration token is for another machine: what was registered with the one before it ends.
CREATE FUNCTION forget_registrations() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM registrations WHERE exe_id = NEW.exe_id;
  NEW.registration_id := NULL;
  NEW.registration_kind := NULL;
  NEW.security_profile := NULL;
  NEW.executor_public_key := NULL;
  RETURN NEW;
END
$$;

CREATE TRIGGER forget_registrations BEFORE UPDATE ON executors FOR EACH ROW
  WHEN (NEW.registration_token_hash <> OLD.registration_token_hash)
  EXECUTE FUNCTION forget_registrations();

-- For the time of a rolling update: a gateway of the release before this one knows the newest registration
-- only, in the columns of executors. The two triggers keep the columns and the table in step. A later
-- migration may drop them and the columns.
CREATE FUNCTION registration_to_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE executors SET registration_id = NEW.registration_id, registration_kind = NEW.kind,
    security_profile = NEW.security_profile, executor_public_key = NEW.executor_public_key
  WHERE exe_id = NEW.exe_id AND registration_id IS DISTINCT FROM NEW.registration_id;
  RETURN NULL;
END
$$;

CREATE TRIGGER registration_to_columns AFTER INSERT ON registrations FOR EACH ROW
  EXECUTE FUNCTION registration_to_columns();

CREATE FUNCTION registration_from_columns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO registrations (exe_id, registration_id, kind, security_profile, executor_public_key)
  VALUES (NEW.exe_id, NEW.registration_id, NEW.registration_kind, NEW.security_profile,
    NEW.executor_public_key)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;

CREATE TRIGGER registration_from_columns AFTER UPDATE OF registration_id ON executors FOR EACH ROW
  WHEN (NEW.registration_id IS DISTINCT FROM OLD.registration_id AND NEW.registration_id IS NOT NULL)
  EXECUTE FUNCTION registration_from_columns();
