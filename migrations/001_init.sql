CREATE TABLE executors (
  exe_id text PRIMARY KEY,
  user_id text NOT NULL,
  display_name text NOT NULL DEFAULT '',
  description text NOT NULL DEFAULT '',
  default_cwd text NOT NULL DEFAULT '',
  registration_token_hash text NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz,
  -- The newest registration; null until there is one.
  registration_id text,
  registration_kind text CHECK (registration_kind IN ('exclusive', 'relay', 'noise')),
  CHECK ((registration_id IS NULL) = (registration_kind IS NULL))
);

CREATE TABLE workspace_executors (
  workspace_id text NOT NULL,
  exe_id text NOT NULL REFERENCES executors (exe_id) ON DELETE CASCADE,
  is_default boolean NOT NULL DEFAULT false,
  bound_at timestamptz NOT NULL DEFAULT now(),
  -- The order of binding: times can be equal.
  binding_order bigint GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (workspace_id, exe_id)
);

-- A workspace's executors in the order of binding.
CREATE INDEX workspace_executors_in_order ON workspace_executors (workspace_id, binding_order);

-- For the cascade from executors.
CREATE INDEX workspace_executors_by_executor ON workspace_executors (exe_id);

-- A workspace has one default at most.
CREATE UNIQUE INDEX workspace_executors_default ON workspace_executors (workspace_id)
  WHERE is_default;
