/**
 * A database as the Go original leaves it.
 *
 * @module
 */
import { newRegistrationToken, RegistrationTokens } from "../../src/auth/registration_tokens.ts";
import { openPostgres } from "../../src/store/postgres.ts";

/** The tables that its first migration makes, and what it notes of it. */
const FIRST_MIGRATION = `
  CREATE TABLE schema_migrations (
    version text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE TABLE executors (
    exe_id text PRIMARY KEY,
    user_id text NOT NULL,
    display_name text,
    description text,
    default_cwd text,
    registration_token_hash text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz
  );
  CREATE INDEX executors_user_id_idx ON executors (user_id);
  CREATE TABLE workspace_executors (
    workspace_id text NOT NULL,
    exe_id text NOT NULL REFERENCES executors (exe_id) ON DELETE CASCADE,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, exe_id)
  );
  CREATE INDEX workspace_executors_workspace_id_idx ON workspace_executors (workspace_id);
  INSERT INTO schema_migrations (version) VALUES ('001_executors.sql');
`;

/** What its later versions add, as far as it is known. */
export const LATER_MIGRATIONS = `
  ALTER TABLE workspace_executors ADD COLUMN name text, ADD COLUMN description text;
  UPDATE workspace_executors SET name = exe_id;
  ALTER TABLE workspace_executors ALTER COLUMN name SET NOT NULL;
  CREATE UNIQUE INDEX workspace_executors_name ON workspace_executors (workspace_id, name);
  ALTER TABLE executors ADD COLUMN client_ip text, ADD COLUMN client_ua text,
    ADD COLUMN codex_version text, ADD COLUMN os text, ADD COLUMN connected_at timestamptz,
    ADD COLUMN disconnected_at timestamptz;
  INSERT INTO schema_migrations (version) VALUES ('002_later.sql');
`;

/** Three executors; `exe_a` is a default in two workspaces, and `ws_1` has two defaults. */
const ROWS = `
  INSERT INTO executors VALUES
    ('exe_a', 'user_1', 'laptop', 'of Ann', '/home/ann', $1, '2026-05-01T10:00:00Z', '2026-05-02T10:00:00Z'),
    ('exe_b', 'user_1', NULL, NULL, NULL, $1, '2026-05-01T11:00:00Z', NULL),
    ('exe_c', 'user_2', 'server', NULL, '/srv', $1, '2026-05-01T12:00:00Z', NULL)`;

const BINDINGS = `
  INSERT INTO workspace_executors VALUES
    ('ws_1', 'exe_c', false, '2026-05-03T09:00:00Z'),
    ('ws_1', 'exe_b', true, '2026-05-03T11:00:00Z'),
    ('ws_1', 'exe_a', true, '2026-05-03T10:00:00Z'),
    ('ws_2', 'exe_a', true, '2026-05-03T12:00:00Z')`;

/**
 * Makes the tables and rows in an empty database.
 *
 * @returns the registration token that the executors share
 */
export async function makeOriginal(databaseUrl: string, later = ""): Promise<string> {
  const token = newRegistrationToken();
  using tokens = new RegistrationTokens();
  // Go's bcrypt writes the older name of the same algorithm.
  const hash = (await tokens.hash(token)).replace(/^\$2[aby]\$/, "$2a$");
  const database = await openPostgres(databaseUrl);
  try {
    await database.query(FIRST_MIGRATION);
    await database.query(ROWS, [hash]);
    await database.query(BINDINGS);
    await database.query(later);
  } finally {
    await database.close();
  }
  return token;
}
