#!/bin/sh
# npm:pg 8.23.1 (pg-connection-string 2.14.1): two parts of a URL are decoded otherwise than by libpq.
#
# libpq decodes %XX everywhere, and nothing else (conninfo_uri_decode in fe-connect.c): a plus is a plus,
# and a database "a/b" is written a%2Fb. With the same URLs pg connects as somebody else, or elsewhere:
#
#   postgres://h/db?password=a+b   password "a b"    (the query is read as an HTML form's, URLSearchParams)
#   postgres://h/a%2Fb             database "a%2Fb"  (decodeURI leaves / ? # : @ and more as they stand)
#
# In the part before the host it decodes as libpq does: postgres://u:a+b%2F@h has the password "a+b/".
# So a URL that psql takes can fail here with "password authentication failed", and nothing tells why.
#
# Needs: npm. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" \
  pg@8.23.1 pg-connection-string@2.14.1 >/dev/null
cat > read.cjs <<'JS'
const { Client } = require("pg");
const read = (connectionString) => new Client({ connectionString });
const seen = [
  read("postgres://h/db?password=a+b").password,
  read("postgres://h/a%2Fb").database,
  read("postgres://u:a+b%2F@h/db").password,
];
console.log(JSON.stringify(seen));
process.exit(JSON.stringify(seen) === JSON.stringify(["a b", "a%2Fb", "a+b/"]) ? 0 : 1);
JS
node read.cjs
