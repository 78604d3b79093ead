/**
 * The gateway over TLS of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { connect as connectTls } from "node:tls";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { leafOf, readCertificateFiles } from "../../src/tls/certificate.ts";
import { TestCertificates } from "../support/certificates.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { dialIn, greet, openBridge, untilConnected } from "../support/exclusive.ts";
import {
  gatewayTest,
  startGateway,
  switchboardTest,
  type TestGateway,
} from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { RawSocket } from "../support/raw_socket.ts";
import {
  claim,
  dialInAsRelay,
  frame,
  openRelayBridge,
  parseFrame,
  register,
  resetReason,
} from "../support/relay.ts";
import { fetchFrom, requestTo, trustedFor } from "../support/trust.ts";
import { connect, settled, until } from "../support/websocket.ts";

const SELF_SIGNED = { tls: "self-signed" } as const;
const KIB = 1024;

gatewayTest("over TLS an executor is registered, dials in and serves a bridge", async (gateway) => {
  assert.match(gateway.url, /^https:/);
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const sent = crypto.getRandomValues(new Uint8Array(65_536));
  const large = new Uint8Array(1024 * KIB).map((_, i) => sent[i % sent.length]!);
  harness.send(large);
  assert.deepEqual(await machine.next(), large);
  machine.send(large);
  assert.deepEqual(await harness.next(), large);
  harness.close(1000);
  await harness.closed;

  const relayed = await gateway.createExecutor();
  await using relay = await dialInAsRelay(gateway, relayed);
  await using other = await openRelayBridge(gateway, relayed.exe_id);
  await claim(other, relay, "stream");
}, SELF_SIGNED);

switchboardTest("every URL that is handed out is wss, whatever a header says", async (gateway) => {
  const { exe_id, registration_token } = await gateway.createExecutor();
  for (const proto of [undefined, "http", "https"]) {
    const response = await fetchFrom(`${gateway.url}/cloud/environment/${exe_id}/register`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${registration_token}`,
        ...proto && { "x-forwarded-proto": proto },
      },
    });
    const { url } = await response.json();
    assert.ok(url.startsWith(`${gateway.wsUrl}/codex-exec/`), url);
    await using _machine = await connect(url);
    await untilConnected(gateway, exe_id);
  }
}, SELF_SIGNED);

switchboardTest("plain HTTP on the port gets no answer, and disturbs nobody", async (gateway) => {
  await assert.rejects(fetch(gateway.url.replace("https", "http") + "/healthz"));
  assert.equal(await (await fetchFrom(`${gateway.url}/healthz`)).text(), "ok");
}, SELF_SIGNED);

switchboardTest("limits and the log have the client's own address", async (gateway) => {
  using logs = new CapturedLogs();
  const executor = await gateway.createExecutor();
  const registerFrom = (from: string, registration_token: string) =>
    post(gateway, `/cloud/environment/${executor.exe_id}/register`, from, registration_token);
  for (let i = 0; i < 10; i++) {
    assert.equal(await registerFrom("127.0.0.9", newRegistrationToken()), 401);
  }
  assert.equal(logs.fieldsOf("refused")?.remote, "127.0.0.9");
  assert.equal(await registerFrom("127.0.0.9", newRegistrationToken()), 429);
  assert.equal(await registerFrom("127.0.0.8", newRegistrationToken()), 401, "and nobody else");
}, { ...SELF_SIGNED, host: "0.0.0.0" });

switchboardTest("a trusted proxy's word counts, over TLS too", async (gateway) => {
  using logs = new CapturedLogs();
  const executor = await gateway.createExecutor();
  await fetchFrom(`${gateway.url}/cloud/environment/${executor.exe_id}/register`, {
    method: "POST",
    headers: { authorization: "Bearer wrong", "x-forwarded-for": "203.0.113.7" },
  }).then((response) => response.body?.cancel());
  assert.equal(logs.fieldsOf("refused")?.remote, "203.0.113.7");
}, { ...SELF_SIGNED, trustedProxies: ["127.0.0.1"] });

// What the kernel and the TLS layer hold for a peer is bounded, so that the gateway's own limit is reached.
const SMALL = {
  ...SELF_SIGNED,
  maxBufferedBytes: 256 * KIB,
  maxFrameBytes: 1024 * KIB,
  stuckMs: 1_000,
};

switchboardTest("a harness that does not read is noticed through the TLS", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  await using machine = await dialInAsRelay(gateway, executor);
  const token = await gateway.capToken(exe_id);
  using stuck = await RawSocket.open(gateway.port, `/bridge/${exe_id}`, token);
  stuck.sendMessage(frame("stream-stuck", "resume"));
  assert.equal(parseFrame(await machine.next()).streamId, "stream-stuck");
  stuck.stopReading();
  const reset = machine.next(60_000);
  for (let i = 0; i < 400 && !await settled(reset, 5); i++) {
    machine.send(frame("stream-stuck", "data", new Uint8Array(256 * KIB)));
    await until("it has left", () => machine.buffered === 0);
  }
  assert.equal(resetReason(parseFrame(await reset)), "reading too slowly");
  stuck.resumeReading();
  assert.deepEqual(await stuck.readClose(), { code: 1013, reason: "reading too slowly" });
}, SMALL);

switchboardTest("so is an executor that does not read", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const ticket = new URL((await register(gateway, executor)).url).searchParams.get("token")!;
  using stuck = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, ticket);
  await untilConnected(gateway, exe_id);
  await using harness = await openRelayBridge(gateway, exe_id);
  harness.send(frame("stream-1", "resume"));
  await stuck.readFrame();
  stuck.stopReading();
  for (let i = 0; i < 400 && !await settled(harness.closed, 5); i++) {
    harness.send(frame("stream-1", "data", new Uint8Array(256 * KIB)));
    await until("it has left", () => harness.buffered === 0);
  }
  assert.deepEqual(await harness.closed, { code: 1013, reason: "the executor reads too slowly" });
}, SMALL);

onAnyDatabase("a renewed certificate is served, and nobody is cut off", async (store) => {
  await using certificates = await TestCertificates.create();
  const { files, ca } = certificates;
  await using gateway = await startGateway(store, { tls: files, ca });
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const first = await servedBy(gateway);
  assert.equal(first, leafOf(readCertificateFiles(files)).fingerprint256);

  await certificates.renew();
  await gateway.certificate.look();
  const second = await servedBy(gateway);
  assert.notEqual(second, first);
  assert.equal(second, leafOf(readCertificateFiles(files)).fingerprint256);
  await greet(harness, machine);

  using logs = new CapturedLogs();
  await Deno.writeTextFile(files.keyFile, certificates.caKey);
  await gateway.certificate.look();
  await gateway.certificate.look();
  assert.equal(await servedBy(gateway), second, "a broken one changes nothing");
  const complaints = logs.records.filter(({ level }) => level === "error");
  assert.equal(complaints.length, 1, "said once");
  assert.match(
    String(complaints[0]!.properties.error),
    /^CXG_TLS_KEY is not the key of the first certificate/,
  );

  await certificates.renew();
  await gateway.certificate.look();
  assert.notEqual(await servedBy(gateway), second);
  await greet(harness, machine);
});

onAnyDatabase("what is newer is looked for, without being asked", async (store) => {
  await using certificates = await TestCertificates.create();
  await using gateway = await startGateway(store, { tls: certificates.files, ca: certificates.ca });
  const stop = new AbortController();
  gateway.certificate.watch(stop.signal, 10);
  try {
    await certificates.renew();
    const renewed = leafOf(readCertificateFiles(certificates.files)).fingerprint256;
    while (await servedBy(gateway) !== renewed);
  } finally {
    stop.abort();
  }
});

switchboardTest(
  "who has connected as the gateway stops is answered, and not cut",
  async (gateway) => {
    const port = gateway.port;
    const { ca } = trustedFor(gateway.url);
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    // It was accepted before this one, which is answered.
    await (await gateway.call("GET", "/healthz")).body?.cancel();
    const stopped = gateway.stop();
    await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port }), "the port is closed");
    const tls = await Deno.startTls(conn, { hostname: "127.0.0.1", caCerts: [ca!] });
    await tls.write(new TextEncoder().encode("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"));
    const answer = await new Response(tls.readable).text();
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\nconnection: close\r\n[^]*\r\n\r\nok$/);
    await stopped;
  },
  SELF_SIGNED,
);

/** The SHA-256 of the certificate that a new connection is shown. */
function servedBy(gateway: TestGateway): Promise<string> {
  const { ca } = trustedFor(gateway.url);
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port: gateway.port, host: "127.0.0.1", ca }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).fingerprint256);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

/** Posts from an address of this machine; returns the status. */
function post(gateway: TestGateway, path: string, from: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = requestTo(gateway.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      localAddress: from,
    });
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on("error", reject);
    asked.end();
  });
}
