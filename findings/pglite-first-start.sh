#!/bin/sh
# PGlite 0.5.16: its first start on a directory costs seven times the CPU of a later one, and three times the memory.
#
# "PGlite is a WASM Postgres build": one would expect that a new database is unpacked, and opened as any other. But
# the first `PGlite.create` of a directory runs initdb, which is a WebAssembly program of its own and starts the
# engine several times. Until the first answer to SELECT 1, on Node 20 and two shared cores:
#
#   first start    3.9 to 5.2 s, 3.3 to 3.5 s of CPU, 750 MiB more resident memory
#   any later one  0.4 to 0.8 s, 0.5 s of CPU, 240 to 260 MiB more
#
# Its queries run on the thread that calls it, without a pause. So it belongs into a worker, what must start fast is
# given a directory that was made before (tests copy one), and a small machine's memory limit has to hold the first
# start.
#
# Needs: npm, node 20 or later. Exits 0 while the first start costs more than twice as much, 1 when it does not any
# more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @electric-sql/pglite@0.5.16 >/dev/null
cat > start.mjs <<'JS'
import { PGlite } from "@electric-sql/pglite";
const before = { ms: performance.now(), bytes: process.memoryUsage().rss, cpu: process.cpuUsage() };
const database = await PGlite.create("data");
await database.query("SELECT 1");
const ms = performance.now() - before.ms;
const { user, system } = process.cpuUsage(before.cpu);
const mib = (process.memoryUsage().rss - before.bytes) / 2 ** 20;
console.error(`${ms.toFixed()} ms, ${((user + system) / 1000).toFixed()} ms of CPU, ${mib.toFixed()} MiB`);
console.log(`${((user + system) / 1000).toFixed()} ${mib.toFixed()}`);
await database.close();
process.exit();
JS
first=$(node start.mjs)
later=$(node start.mjs)
# shellcheck disable=SC2086
set -- $first $later
[ "$1" -gt $((2 * $3)) ] && [ "$2" -gt $((2 * $4)) ] || { echo "not any more"; exit 1; }
