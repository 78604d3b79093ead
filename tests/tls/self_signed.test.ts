import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { isFor, leafOf } from "../../src/tls/certificate.ts";
import { hostNames } from "../../src/tls/host_names.ts";
import { selfSigned } from "../../src/tls/self_signed.ts";

const DAY_MS = 24 * 3600 * 1000;
const HOSTS = ["localhost", "127.0.0.1", "::1", "gateway.example", "192.0.2.7", "2001:db8::7"];

/** Registers a test with a data directory of its own. */
function test(name: string, body: (dataDir: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const directory = await Deno.makeTempDir({ prefix: "cxg-tls-" });
    try {
      await body(`${directory}/data`);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}

test("the CA signs a server's certificate for every host", async (dataDir) => {
  const made = await selfSigned(dataDir, HOSTS);
  const [ca, leaf] = [new X509Certificate(made.ca), leafOf(made)];
  assert.ok(ca.ca && !leaf.ca);
  assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey) && ca.verify(ca.publicKey));
  for (const host of HOSTS) assert.ok(isFor(leaf, host), host);
  assert.ok(!isFor(leaf, "elsewhere.example") && !isFor(leaf, "192.0.2.8"));
  assert.ok(Date.parse(leaf.validFrom) < Date.now(), "a clock that is late sees it valid too");
  assert.ok(Date.parse(leaf.validTo) < Date.parse(ca.validTo));
});

test("openssl verifies it as a server's", async (dataDir) => {
  await selfSigned(dataDir, HOSTS);
  for (const host of HOSTS) {
    const by = /^[\d.]+$|:/.test(host) ? "-verify_ip" : "-verify_hostname";
    const { success, stderr } = await new Deno.Command("openssl", {
      args: ["verify", "-x509_strict", "-purpose", "sslserver", by, host, "-CAfile"].concat(
        `${dataDir}/tls/ca.pem`,
        `${dataDir}/tls/cert.pem`,
      ),
    }).output();
    assert.ok(success, `${host}: ${new TextDecoder().decode(stderr)}`);
  }
});

test("the keys are nobody else's to read", async (dataDir) => {
  await selfSigned(dataDir, HOSTS);
  const mode = async (path: string) => ((await Deno.stat(path)).mode! & 0o777).toString(8);
  assert.equal(await mode(`${dataDir}/tls`), "700");
  assert.equal(await mode(`${dataDir}/tls/ca-key.pem`), "600");
  assert.equal(await mode(`${dataDir}/tls/key.pem`), "600");
  const names = (await Array.fromAsync(Deno.readDir(`${dataDir}/tls`))).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), ["ca-key.pem", "ca.pem", "cert.pem", "key.pem", "lock"]);
});

test("both stay across restarts, and the CA when the certificate is made anew", async (dataDir) => {
  const first = await selfSigned(dataDir, HOSTS);
  const again = await selfSigned(dataDir, HOSTS.slice(1));
  assert.deepEqual([again.cert, again.key, again.ca], [first.cert, first.key, first.ca]);
  assert.ok(first.isNew && !again.isNew);

  const named = await selfSigned(dataDir, [...HOSTS, "new.example"]);
  assert.notEqual(named.cert, first.cert);
  assert.ok(isFor(leafOf(named), "new.example"));

  const later = await selfSigned(dataDir, HOSTS, Date.now() + 59 * DAY_MS);
  assert.equal(later.cert, named.cert);
  const renewed = await selfSigned(dataDir, HOSTS, Date.now() + 61 * DAY_MS);
  assert.notEqual(renewed.cert, named.cert);
  assert.ok(Date.parse(leafOf(renewed).validTo) > Date.parse(leafOf(named).validTo));
  for (const { ca } of [named, later, renewed]) assert.equal(ca, first.ca);
});

test("two that start at once have one CA", async (dataDir) => {
  const made = await Promise.all([1, 2, 3].map(() => selfSigned(dataDir, HOSTS)));
  assert.equal(new Set(made.map(({ ca }) => ca)).size, 1);
  assert.equal(made.filter(({ isNew }) => isNew).length, 1);
});

test("a CA whose key is lost is not replaced behind anybody's back", async (dataDir) => {
  const { ca } = await selfSigned(dataDir, HOSTS);
  await Deno.remove(`${dataDir}/tls/ca-key.pem`);
  await assert.rejects(selfSigned(dataDir, HOSTS), {
    name: "DataDirectoryError",
    message: /ca\.pem and ca-key\.pem do not belong together: restore them, or remove both/,
  });
  assert.equal(await Deno.readTextFile(`${dataDir}/tls/ca.pem`), ca);
});

test("a CA that is over is, and no certificate outlives its CA", async (dataDir) => {
  const first = await selfSigned(dataDir, HOSTS);
  const nearEnd = await selfSigned(dataDir, HOSTS, Date.now() + 3_640 * DAY_MS);
  assert.equal(nearEnd.ca, first.ca);
  assert.equal(leafOf(nearEnd).validTo, new X509Certificate(first.ca).validTo);
  const after = await selfSigned(dataDir, HOSTS, Date.now() + 3_651 * DAY_MS);
  assert.notEqual(after.ca, first.ca);
  assert.ok(leafOf(after).verify(new X509Certificate(after.ca).publicKey));
});

test("a damaged server's certificate is made anew", async (dataDir) => {
  const first = await selfSigned(dataDir, HOSTS);
  await Deno.writeTextFile(
    `${dataDir}/tls/key.pem`,
    await Deno.readTextFile(`${dataDir}/tls/ca-key.pem`),
  );
  const again = await selfSigned(dataDir, HOSTS);
  assert.notEqual(again.key, first.key);
  assert.ok(again.isNew);
});

Deno.test("this machine's names are those that a certificate can have, each once", () => {
  const names = hostNames(["0.0.0.0", undefined, "Gateway.Example", "not_a_name", "203.0.113.9"]);
  for (const name of ["localhost", "127.0.0.1", "::1", "gateway.example", "203.0.113.9"]) {
    assert.ok(names.includes(name), name);
  }
  for (const name of ["0.0.0.0", "not_a_name"]) assert.ok(!names.includes(name), name);
  assert.equal(new Set(names).size, names.length);
  assert.ok(!names.some((name) => name.startsWith("fe80:")), "that of a link needs its interface");
  assert.ok(names.includes(Deno.hostname().toLowerCase()) || Deno.hostname().includes("_"));
});
