/**
 * What register calls left behind: several registrations for an executor, which outlive the process and
 * are shared by all that use the database. Each is good for a time after it was last used.
 *
 * All times are the database's own, so that the clocks of processes do not matter.
 *
 * @module
 */
import type { ExecutorKind, Registration, Sighting } from "../model.ts";
import type { Database } from "./database.ts";

/**
 * How long a registration is good after it was made, and after the last connection that came by it has
 * ended, in seconds. Its ticket stands in a URL, so in the logs of proxies.
 */
export const REGISTRATION_LIFETIME_S = 600;

/**
 * How many registrations of one executor are kept besides the one that dialled in last. Two machines
 * with one token, or one whose process is started again and again, come by with a few; what makes
 * more of them within a lifetime would only fill the database.
 */
const MAX_KEPT = 16;

/** What a register call shows: the store adds the id. */
export type NewRegistration = Omit<Registration, "registration_id">;

/** A registration as a dial finds it. */
export interface FoundRegistration {
  readonly registration: Registration;
  /** Whether it was used within {@linkcode REGISTRATION_LIFETIME_S}. */
  readonly isFresh: boolean;
  /** The bcrypt hash of the registration token that it was made with. */
  readonly tokenHash: string;
}

interface Row {
  registration_id: string;
  kind: ExecutorKind;
  security_profile: string | null;
  executor_public_key: string | null;
  is_fresh: boolean;
  token_hash: string;
}

/** The table of registrations. */
export class Registrations {
  readonly #query: Database["query"];

  constructor(query: Database["query"]) {
    this.#query = query;
  }

  /**
   * Notes a register call. One that shows the same key for the same profile as a registration that is
   * still good keeps that one's id: it comes from the same process. An id that is good no more is not
   * taken up again, or an old ticket would be good again with it.
   *
   * @param tokenHash the bcrypt hash of the registration token that was shown: a registration does not
   * outlive its token, so none is made when another has taken its place meanwhile
   * @returns `undefined` when there is no such executor, with that token
   */
  async make(
    exeId: string,
    made: NewRegistration,
    tokenHash?: string,
  ): Promise<Registration | undefined> {
    const key = made.executor_public_key === undefined
      ? null
      : JSON.stringify(made.executor_public_key);
    const [row] = await this.#query<Pick<Row, "registration_id">>(MAKE, [
      exeId,
      `reg_${crypto.randomUUID()}`,
      made.kind,
      made.security_profile ?? null,
      key,
      REGISTRATION_LIFETIME_S,
      MAX_KEPT,
      tokenHash ?? null,
    ]);
    return row && { registration_id: row.registration_id, ...made };
  }

  /** The executor's registration of this id, or `undefined` when it has none such, or no more. */
  async find(exeId: string, registrationId: string): Promise<FoundRegistration | undefined> {
    const [row] = await this.#query<Row>(
      `SELECT registrations.registration_id, kind, registrations.security_profile,
         registrations.executor_public_key, last_used_at > now() - make_interval(secs => $3::float8) AS is_fresh,
         registration_token_hash AS token_hash
       FROM registrations JOIN executors USING (exe_id)
       WHERE exe_id = $1::text AND registrations.registration_id = $2::text`,
      [exeId, registrationId, REGISTRATION_LIFETIME_S],
    );
    if (row === undefined) return undefined;
    const { registration_id, kind, security_profile, executor_public_key, is_fresh } = row;
    const registration = {
      registration_id,
      kind,
      ...security_profile !== null && { security_profile },
      ...executor_public_key !== null && { executor_public_key: JSON.parse(executor_public_key) },
    };
    return { registration, isFresh: is_fresh, tokenHash: row.token_hash };
  }

  /**
   * Whether the registration is there and the executor has dialled in by no other since, at any process.
   * That one has dialled in by may be noted a moment late, so one without a dial counts as the last.
   *
   * @param liveHere another one, by which the executor is connected to this process
   */
  async isLatest(exeId: string, registrationId: string, liveHere?: string): Promise<boolean> {
    const rows = await this.#query(
      `SELECT 1 FROM registrations asked
       WHERE exe_id = $1::text AND registration_id = $2::text
         AND NOT EXISTS (SELECT 1 FROM registrations other
           WHERE other.exe_id = asked.exe_id AND other.dialled_at > asked.dialled_at)
         AND ($3::text IS NULL OR asked.dialled_at > (SELECT dialled_at FROM registrations here
           WHERE here.exe_id = asked.exe_id AND here.registration_id = $3::text))`,
      [exeId, registrationId, liveHere ?? null],
    );
    return rows.length > 0;
  }

  /** Whether the executor was seen at any process in the last `seconds`, or is there no more. */
  async wasSeen(exeId: string, seconds: number): Promise<boolean> {
    const rows = await this.#query(
      `SELECT 1 FROM executors WHERE exe_id = $1::text
         AND (last_seen_at IS NULL OR last_seen_at <= now() - make_interval(secs => $2::float8))`,
      [exeId, seconds],
    );
    return rows.length === 0;
  }

  /**
   * Notes that executors were seen now, and that the registrations they came by are in use.
   *
   * @returns the ids of those executors that exist
   */
  async noteSeen(sightings: readonly Sighting[]): Promise<string[]> {
    if (sightings.length === 0) return [];
    const rows = await this.#query<{ exe_id: string }>(NOTE_SEEN, [
      sightings.map(({ exe_id }) => exe_id),
      // No registration has an empty id.
      sightings.map(({ registration_id = "" }) => registration_id),
      sightings.map(({ dialled = false }) => dialled),
    ]);
    return rows.map(({ exe_id }) => exe_id);
  }
}

/**
 * The executor's row is locked first, here and wherever registrations change, since to remove an executor
 * takes the rows in that order. What is of no use any more goes on the way.
 */
const MAKE = `
  WITH executor AS (
    SELECT exe_id FROM executors WHERE exe_id = $1::text
      AND ($8::text IS NULL OR registration_token_hash = $8::text) FOR NO KEY UPDATE
  ), kept AS (
    UPDATE registrations SET last_used_at = now()
    WHERE EXISTS (SELECT FROM executor) AND exe_id = $1::text AND kind = $3::text
      AND security_profile = $4::text AND executor_public_key = $5::text
      AND last_used_at > now() - make_interval(secs => $6::float8)
    RETURNING registration_id
  ), made AS (
    INSERT INTO registrations (exe_id, registration_id, kind, security_profile, executor_public_key)
    SELECT exe_id, $2::text, $3::text, $4::text, $5::text FROM executor
    WHERE NOT EXISTS (SELECT FROM kept)
    RETURNING registration_id
  ), pruned AS (
    DELETE FROM registrations
    WHERE EXISTS (SELECT FROM made) AND exe_id = $1::text
      AND (last_used_at <= now() - make_interval(secs => $6::float8)
        OR registration_id NOT IN (SELECT registration_id FROM registrations
          WHERE exe_id = $1::text ORDER BY last_used_at DESC LIMIT $7::int)
        AND dialled_at IS DISTINCT FROM (SELECT max(dialled_at) FROM registrations
          WHERE exe_id = $1::text))
  )
  SELECT registration_id FROM kept UNION ALL SELECT registration_id FROM made LIMIT 1`;

/** Executors' rows are locked in one order, as another process may note some of the same. */
const NOTE_SEEN = `
  WITH sightings AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[])
      AS sighting (exe_id, registration_id, dialled)
  ), locked AS (
    SELECT exe_id FROM executors WHERE exe_id = ANY ($1::text[]) ORDER BY exe_id FOR NO KEY UPDATE
  ), seen AS (
    UPDATE executors SET last_seen_at = now() WHERE exe_id IN (SELECT exe_id FROM locked)
    RETURNING exe_id
  ), used AS (
    UPDATE registrations SET last_used_at = now(),
      dialled_at = CASE WHEN dialled THEN now() ELSE dialled_at END
    FROM sightings JOIN seen USING (exe_id)
    WHERE registrations.exe_id = sightings.exe_id
      AND registrations.registration_id = sightings.registration_id
  )
  SELECT exe_id FROM seen`;
