import assert from "node:assert/strict";
import { readable, writable } from "../../src/store/allowed_paths.ts";
import { parsePostgresUrl, PostgresUrlError } from "../../src/store/postgres_url.ts";

const SECRET = "hunter2";

const GOOD: readonly [url: string, target: ReturnType<typeof parsePostgresUrl>][] = [
  ["postgres://", {}],
  ["postgresql://db.example", { host: "db.example" }],
  ["POSTGRES://db.example/", { host: "db.example" }],
  [
    "postgres://user:password@db.example:6432/gateway",
    { user: "user", password: "password", host: "db.example", port: 6432, database: "gateway" },
  ],
  // A colon needs no encoding behind the first: so libpq has it.
  ["postgres://u:a:b@h", { user: "u", password: "a:b", host: "h" }],
  ["postgres://u%40h:%2F%3F%23%25%3a+@h", { user: "u@h", password: "/?#%:+", host: "h" }],
  ["postgres://u:%C3%BC@h", { user: "u", password: "ü", host: "h" }],
  ["postgres://[::1]:5433/db", { host: "::1", port: 5433, database: "db" }],
  ["postgres://%2Fvar%2Frun/db", { host: "/var/run", database: "db" }],
  ["postgres:///db?host=/var/run&port=5433", { host: "/var/run", port: 5433, database: "db" }],
  [
    "postgres://h/db?user=a@b&password=c+d%20e&dbname=other",
    { host: "h", user: "a@b", password: "c+d e", database: "other" },
  ],
  ["postgres://h/a%40b/c", { host: "h", database: "a@b/c" }],
  [
    "postgres://h?options=-c%20search_path%3Dgateway&application_name=a",
    { host: "h", options: "-c search_path=gateway", applicationName: "a" },
  ],
  [
    "postgres://h?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem",
    {
      host: "h",
      sslMode: "verify-full",
      sslRootCert: "/ca.pem",
      sslCert: "/c.pem",
      sslKey: "/k.pem",
    },
  ],
  ["postgres://h?sslrootcert=system", {
    host: "h",
    sslMode: "verify-full",
    sslRootCert: "system",
  }],
  ["postgres://h?sslmode=require&sslnegotiation=direct", {
    host: "h",
    sslMode: "require",
    sslDirect: true,
  }],
  // What pgx and libpq take, and what changes nothing here.
  ["postgres://h?pool_max_conns=10&connect_timeout=5&target_session_attrs=read-write", {
    host: "h",
  }],
];

for (const [url, target] of GOOD) {
  Deno.test(`the PostgreSQL URL ${url} is read as libpq reads it`, () => {
    assert.deepEqual(parsePostgresUrl(url), target);
  });
}

const ENCODE = /percent-encoded/;

const BAD: readonly [url: string, says: RegExp][] = [
  ["", /must be a postgres:\/\/ URL/],
  ["mysql://db", /must be a postgres:\/\/ URL/],
  [`host=db user=u password=${SECRET}`, /not key=value words/],
  // A password with each of the characters that end the part of a URL in which it stands.
  [`postgres://u:${SECRET}@${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}/${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}?${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}?a=${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}#${SECRET}@h/db`, ENCODE],
  [`postgres://u:1234/${SECRET}@h/db`, ENCODE],
  [`postgres://u:1234?${SECRET}@h/db`, ENCODE],
  [`postgres://u:1234#${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}@x/${SECRET}@h/db`, ENCODE],
  [`postgres://u:${SECRET}:${SECRET}`, ENCODE],
  [`postgres://u:${SECRET}%@h/db`, /%25/],
  [`postgres://u:${SECRET}%zz@h/db`, /%25/],
  [`postgres://u:${SECRET}%FF@h/db`, /not UTF-8/],
  [`postgres://u:${SECRET}%00@h/db`, /NUL/],
  [`postgres://u:${SECRET} @h/db`, /white space/],
  [`postgres://u:${SECRET}@h/db\n`, /ends in white space/],
  [`postgres://u:${SECRET}@h1:5432,h2:5432/db`, /one host/],
  [`postgres://u:${SECRET}@h1,h2/db`, /one host/],
  [`postgres:///db?host=h1,h2`, /one host/],
  [`postgres://h/db?port=1,2`, /one host/],
  [`postgres://u:${SECRET}@h:port/db`, /a port from 1 to 65535/],
  [`postgres://h:0/db`, /a port from 1 to 65535/],
  [`postgres://h:65536/db`, /a port from 1 to 65535/],
  [`postgres://u:${SECRET}@::1/db`, /brackets/],
  // One letter amiss must not take the protection away.
  [`postgres://h/db?sslmod=require`, /cannot be honoured \(sslmod\).*sslmode/],
  [`postgres://h/db?sslmode=no-verify`, /disable, allow, prefer, require, verify-ca, verify-full/],
  [`postgres://h/db?sslmode=`, /one of disable/],
  [`postgres://h/db?sslmode`, /without a value/],
  [`postgres://h/db?sslmode=verify-ca`, /needs sslrootcert/],
  [`postgres://h/db?sslmode=require&sslrootcert=system`, /needs sslmode=verify-full/],
  [`postgres://h/db?sslnegotiation=direct`, /needs sslmode=require/],
  [`postgres://h/db?sslcert=/c.pem`, /both sslcert and sslkey/],
  [`postgres://h/db?sslcrl=/crl.pem`, /cannot be honoured \(sslcrl\)/],
  [`postgres://h/db?channel_binding=require`, /channel_binding/],
  [`postgres://h/db?target_session_attrs=standby`, /target_session_attrs.*read-write/],
];

for (const [url, says] of BAD) {
  Deno.test(`the PostgreSQL URL ${JSON.stringify(url)} is refused with the reason`, () => {
    assert.throws(() => parsePostgresUrl(url), (error) => {
      assert.ok(error instanceof PostgresUrlError, String(error));
      assert.match(error.message, says);
      assert.doesNotMatch(error.message, new RegExp(`\\n|${SECRET}|1234`));
      return true;
    });
  });
}

Deno.test("what a URL names in the file system is what deno task start allows", () => {
  const files = "sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem";
  assert.deepEqual(readable(`postgres://h?${files}`), ["/ca.pem", "/c.pem", "/k.pem"]);
  assert.deepEqual(writable(`postgres://h?${files}`), []);
  const socket = "/run/.s.PGSQL.5433";
  assert.deepEqual(readable("postgres:///db?host=/run&port=5433"), [socket]);
  assert.deepEqual(writable("postgres:///db?host=/run&port=5433"), [socket]);
  for (const none of ["postgres://h?sslrootcert=system", "mysql://", ""]) {
    assert.deepEqual([...readable(none), ...writable(none)], []);
  }
});
