import assert from "node:assert/strict";
import {
  clientAddress,
  isAddressOrNetwork,
  sourceOf,
  TrustedProxies,
} from "../../src/limits/client_address.ts";

const PROXIES = new TrustedProxies(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"]);

function from(peer: string, forwardedFor?: string, proxies = PROXIES): string {
  const headers = new Headers(
    forwardedFor === undefined ? {} : {
      "x-forwarded-for": forwardedFor,
    },
  );
  return clientAddress(peer, headers, proxies);
}

Deno.test("whoever is no trusted proxy is the client, whatever it says", () => {
  assert.equal(from("192.0.2.1", "203.0.113.7"), "192.0.2.1");
  assert.equal(from("11.0.0.1", "203.0.113.7"), "11.0.0.1");
  assert.equal(from("127.0.0.1", "203.0.113.7", new TrustedProxies([])), "127.0.0.1");
});

Deno.test("behind trusted proxies, it is the last one that is none of them", () => {
  assert.equal(from("127.0.0.1", "203.0.113.7"), "203.0.113.7");
  assert.equal(from("127.0.0.1", "198.51.100.1, 203.0.113.7"), "203.0.113.7");
  assert.equal(from("127.0.0.1", "198.51.100.1, 203.0.113.7 ,10.1.2.3"), "203.0.113.7");
  assert.equal(from("2001:db8:1::5", "2001:DB8:2:0::7"), "2001:db8:2::7");
  assert.equal(from("::ffff:127.0.0.1", "::ffff:203.0.113.7"), "203.0.113.7");
});

Deno.test("a proxy that says nothing usable is the client itself", () => {
  assert.equal(from("127.0.0.1"), "127.0.0.1");
  assert.equal(from("127.0.0.1", ""), "127.0.0.1");
  assert.equal(from("127.0.0.1", "198.51.100.1, unknown"), "127.0.0.1");
  assert.equal(from("127.0.0.1", "198.51.100.1, 1.2.3.4.5, 10.0.0.9"), "10.0.0.9");
  assert.equal(from("127.0.0.1", "10.0.0.8, 10.0.0.9"), "10.0.0.8");
});

Deno.test("a port behind the address is left out", () => {
  assert.equal(from("127.0.0.1", "203.0.113.7:4711"), "203.0.113.7");
  assert.equal(from("127.0.0.1", "[2001:db8::7]:4711"), "2001:db8::7");
  assert.equal(from("127.0.0.1", "[2001:db8::7]"), "2001:db8::7");
  assert.equal(from("127.0.0.1", "2001:db8::7"), "2001:db8::7");
});

Deno.test("IPv4 counts by the address, IPv6 by its first 64 bits", () => {
  assert.equal(sourceOf("203.0.113.7"), "203.0.113.7");
  assert.equal(sourceOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  assert.equal(sourceOf("2001:db8:1:2::1"), "2001:db8:1:2::/64");
  assert.equal(sourceOf("2001:db8::1"), "2001:db8:0:0::/64");
  assert.equal(sourceOf("2001::3:4:5:6:7"), "2001:0:0:3::/64");
  assert.equal(sourceOf("::1"), "0:0:0:0::/64");
  assert.equal(sourceOf("1::"), "1:0:0:0::/64");
});

Deno.test("a trusted proxy is an address or a network", () => {
  for (const good of ["127.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0", "::/128"]) {
    assert(isAddressOrNetwork(good), good);
  }
  const bad = [
    "",
    "localhost",
    "10.0.0.0/33",
    "fd00::/129",
    "1.2.3",
    "10.0.0.0/",
    "/8",
    "1.2.3.4/a",
  ];
  for (const text of [...bad, "fe80::1%eth0", "[::1]", "10.0.0.1:80", "1.2.3.4/8/8"]) {
    assert(!isAddressOrNetwork(text), text);
  }
});
