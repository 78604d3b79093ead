#!/bin/sh
# PGlite 0.5.16, a database in a directory: a commit is not on the disk when it is answered, and cannot be made to be
# by a parameter.
#
# PostgreSQL syncs its log before it answers a commit: what was answered outlives a power failure. PGlite is
# PostgreSQL, and keeps a directory on Node. One would expect the same, or an option. Seen, 10 commits each, and how
# often the engine asked the system for a sync:
#
#   as it comes                            SHOW fsync: off   none
#   without -F, wal_sync_method=fsync      SHOW fsync: on    none
#   the same, and an fsync for NODEFS      SHOW fsync: on    one for each commit
#
# `PGlite.defaultStartParams` has -F, and its NodeFS stands on Emscripten's NODEFS, whose files have no fsync: the
# engine's call succeeds and does nothing. So whoever wants durable commits leaves -F out, and gives NODEFS the one
# that it lacks.
#
# Needs: npm, node 20 or later. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @electric-sql/pglite@0.5.16 >/dev/null
cat > commits.mjs <<'JS'
import fs from "node:fs";
import { PGlite } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";

let syncs = 0;
for (const name of ["fsyncSync", "fdatasyncSync", "fsync", "fdatasync"]) {
  const real = fs[name];
  fs[name] = (...args) => {
    syncs++;
    return real(...args);
  };
}

class SyncingFS extends NodeFS {
  async init(...args) {
    const { emscriptenOpts } = await super.init(...args);
    const addFsync = ({ NODEFS }) => {
      NODEFS.stream_ops.fsync = ({ nfd }) => {
        fs.fsyncSync(nfd);
        return 0;
      };
    };
    emscriptenOpts.preRun = [...emscriptenOpts.preRun ?? [], addFsync];
    return { emscriptenOpts };
  }
}

async function commit(FileSystem, startParams) {
  const database = await PGlite.create({ fs: new FileSystem(fs.mkdtempSync("data-")), startParams });
  await database.exec("CREATE TABLE t (n integer)");
  syncs = 0;
  for (let n = 0; n < 10; n++) await database.query("INSERT INTO t VALUES ($1)", [n]);
  const seen = syncs;
  const { rows: [{ fsync }] } = await database.query("SHOW fsync");
  await database.close();
  return `${fsync} ${seen}`;
}

const durable = [...PGlite.defaultStartParams.filter((param) => param !== "-F"), "-c", "wal_sync_method=fsync"];
const seen = [await commit(NodeFS), await commit(NodeFS, durable), await commit(SyncingFS, durable)];
console.log(`as it comes: ${seen[0]}, without -F: ${seen[1]}, with an fsync for NODEFS: ${seen[2]}`);
process.exit(`${seen}` === "off 0,on 0,on 10" ? 0 : 1);
JS
node commits.mjs || { echo "not any more"; exit 1; }
