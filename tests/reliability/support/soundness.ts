import assert from "node:assert/strict";
import { PGlite } from "@electric-sql/pglite";
import { amcheck } from "@electric-sql/pglite/contrib/amcheck";

/**
 * Checks an embedded database that nobody has open, page by page, with PostgreSQL's own `amcheck`: each
 * table's rows, each index, and that each row is in its indexes.
 */
export async function assertSound(dataDir: string): Promise<void> {
  const database = await PGlite.create(`file://${dataDir}/pgdata`, { extensions: { amcheck } });
  try {
    await database.exec("CREATE EXTENSION IF NOT EXISTS amcheck");
    const { rows: damages } = await database.query(
      `SELECT relname, damage.* FROM pg_class, LATERAL verify_heapam(pg_class.oid) AS damage
       WHERE relkind IN ('r', 't', 'm')`,
    );
    assert.deepEqual(damages, []);
    const { rows: indexes } = await database.query(
      `SELECT relname, bt_index_check(pg_class.oid, heapallindexed => true)
       FROM pg_class JOIN pg_am ON pg_am.oid = relam
       WHERE relkind = 'i' AND amname = 'btree'`,
    );
    assert.ok(indexes.length > 0);
  } finally {
    await database.close();
  }
}
