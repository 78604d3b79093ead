/**
 * Every migration, in order. They are imported, so that they are part of a compiled program.
 *
 * @module
 */

import init from "../../migrations/001_init.sql" with { type: "text" };
import noiseRegistrations from "../../migrations/002_noise_registrations.sql" with { type: "text" };
import revokedTurns from "../../migrations/003_revoked_turns.sql" with { type: "text" };
import tokenDigest from "../../migrations/004_registration_token_digest.sql" with { type: "text" };
import revokedTurnsByTime from "../../migrations/005_revoked_turns_by_time.sql" with {
  type: "text",
};
import registrations from "../../migrations/006_registrations.sql" with { type: "text" };
import watchedEndings from "../../migrations/007_watched_endings.sql" with { type: "text" };

/** One step of the schema. */
export interface Migration {
  /** The number that its file begins with: 1, 2, 3, … without a gap. */
  version: number;
  /** Its file in `migrations/`. */
  file: string;
  sql: string;
}

export const migrations: readonly Migration[] = [
  { version: 1, file: "001_init.sql", sql: init },
  { version: 2, file: "002_noise_registrations.sql", sql: noiseRegistrations },
  { version: 3, file: "003_revoked_turns.sql", sql: revokedTurns },
  { version: 4, file: "004_registration_token_digest.sql", sql: tokenDigest },
  { version: 5, file: "005_revoked_turns_by_time.sql", sql: revokedTurnsByTime },
  { version: 6, file: "006_registrations.sql", sql: registrations },
  { version: 7, file: "007_watched_endings.sql", sql: watchedEndings },
];
