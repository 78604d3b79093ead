/**
 * What a request's first line and Host say is what is reached, or it is refused: a proxy in front decides by
 * their text.
 *
 * @module
 */
import assert from "node:assert/strict";
import { exchange, fromLatin1 } from "../fuzz/raw_http.ts";
import { SECRETS, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { ODD_TARGETS } from "../support/odd_targets.ts";

const LISTING = "/api/exec-gateway/connected?workspace_id=ws_test";

/** Each of them would be part of a URL, or of the name of another host. */
const ODD_HOSTS = [
  "",
  "gateway.example/api/exec-gateway",
  "gateway.example/../api",
  "gateway.example/metrics?",
  "gateway.example?",
  "gateway.example#",
  "gateway.example\\api",
  "user@gateway.example",
  "user:word@gateway.example",
  "gateway.example:",
  "gateway.example:x",
  "gateway.example:99999",
  "gateway.example:80:80",
  "gateway.example, other.example",
  "gateway.example other.example",
  "gateway..example",
  ".gateway.example",
  ".",
  "[::1",
  "::1",
  "[::1]x",
  "[::1%25eth0]",
  "[]",
  "gateway%2eexample",
  "gateway%2fapi",
  "0x7f.1",
  "127.1",
  "2130706433",
  "999.1.1.1",
  "xn--a",
  "g\xe4teway.example",
  "gateway.example\xa0",
  "gate\tway.example",
  "http://gateway.example",
  "*",
  "$(x)",
  "'",
  '"',
];

const PLAIN_HOSTS = [
  "gateway.example",
  "GATEWAY.example.",
  "gateway.example:443",
  "gate_way",
  "127.0.0.1:6060",
  "[::1]",
  "[2001:db8::1]:6060",
  "[::ffff:127.0.0.1]",
];

switchboardTest(
  "a target that a parser would resolve is refused, whoever asks",
  async (gateway) => {
    for (const target of ODD_TARGETS) {
      assert.equal(await statusOf(gateway, target, "gateway.example"), 400, target);
    }
    // The runtime takes the whole of it for a path.
    assert.equal(await statusOf(gateway, "file:///healthz", "gateway.example"), 404);
    for (const target of [LISTING, `http://gateway.example${LISTING}`]) {
      assert.equal(await statusOf(gateway, target, "gateway.example"), 200, target);
    }
  },
);

switchboardTest(
  "a Host that is not a plain host and port is refused, whatever is asked for",
  async (gateway) => {
    for (const host of ODD_HOSTS) {
      for (const target of ["/healthz", LISTING]) {
        assert.equal(await statusOf(gateway, target, host), 400, JSON.stringify(host));
      }
    }
    for (const host of PLAIN_HOSTS) assert.equal(await statusOf(gateway, LISTING, host), 200, host);
  },
);

switchboardTest("two Hosts are refused, and none is let pass as in HTTP/1.0", async (gateway) => {
  const twice = "gateway.example\r\nHost: other.example";
  assert.equal(await statusOf(gateway, "/healthz", twice), 400);
  const old = await exchange(gateway.port, fromLatin1("GET /healthz HTTP/1.0\r\n\r\n"));
  assert.equal(old?.status, 200);
});

switchboardTest("dots and codes that name no other path are let pass", async (gateway) => {
  for (const id of ["exe..x", "...", "exe.", ".exe", "%2e%2e%2e", "exe%2ex", "%41", "a%2fb"]) {
    assert.equal(await statusOf(gateway, `/bridge/${id}`, "gateway.example"), 401, id);
  }
  assert.equal(await statusOf(gateway, "/healthz?x=/../y\\z", "gateway.example"), 200);
});

/** What a request with the API's secret is answered with. */
async function statusOf(gateway: TestGateway, target: string, host: string): Promise<number> {
  const head = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n` +
    `X-Internal-Secret: ${SECRETS.shared}\r\nConnection: close\r\n\r\n`;
  const answer = await exchange(gateway.port, fromLatin1(head));
  assert(answer !== undefined, `no answer to ${JSON.stringify(target)} at ${JSON.stringify(host)}`);
  return answer.status;
}
