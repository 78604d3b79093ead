import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Agent, request } from "node:https";
import { ServerCertificate } from "../../src/tls/server_certificate.ts";
import { TlsListener } from "../../src/tls/tls_listener.ts";
import { TestCertificates } from "../support/certificates.ts";
import { CapturedLogs } from "../support/logs.ts";
import { settled, until } from "../support/websocket.ts";

const MIB = 1024 * 1024;

/** A listener with a certificate of its own. */
class Rig implements AsyncDisposable {
  readonly listener: TlsListener;
  readonly certificates: TestCertificates;

  private constructor(listener: TlsListener, certificates: TestCertificates) {
    this.listener = listener;
    this.certificates = certificates;
  }

  static async create(
    handler: Deno.ServeHandler<Deno.NetAddr>,
    beginTimeoutMs?: number,
  ): Promise<Rig> {
    const certificates = await TestCertificates.create();
    const certificate = await ServerCertificate.load({
      tls: certificates.files,
      host: "127.0.0.1",
      dataDir: "",
    });
    const options = { hostname: "127.0.0.1", port: 0, reusePort: false };
    const listener = new TlsListener(options, certificate!, handler, beginTimeoutMs);
    return new Rig(listener, certificates);
  }

  get port(): number {
    return this.listener.addr.port;
  }

  /** A connection through its handshake. */
  async connect(): Promise<Deno.TlsConn> {
    const conn = await Deno.connectTls({
      hostname: "127.0.0.1",
      port: this.port,
      caCerts: [this.certificates.ca],
    });
    await conn.handshake();
    return conn;
  }

  /** Resolves when no connection is left. */
  emptied(): Promise<void> {
    return until("no connection is left", () => this.listener.size === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.shutdown();
    await this.certificates[Symbol.asyncDispose]();
  }
}

function send(conn: Deno.Conn, text: string): Promise<number> {
  return conn.write(new TextEncoder().encode(text));
}

Deno.test("requests follow one another on a connection, and come from the client's address", async () => {
  const seen: Deno.NetAddr[] = [];
  await using rig = await Rig.create((_, { remoteAddr }) => {
    seen.push(remoteAddr);
    return new Response("ok");
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: rig.certificates.ca });
  for (let i = 0; i < 3; i++) {
    const text = await new Promise((resolve, reject) => {
      request(`https://localhost:${rig.port}/`, { agent }, async (response) => {
        resolve((await Array.fromAsync(response)).join(""));
      }).on("error", reject).end();
    });
    assert.equal(text, "ok");
  }
  agent.destroy();
  assert.equal(seen.length, 3);
  assert.equal(new Set(seen.map(({ port }) => port)).size, 1);
  assert.deepEqual(new Set(seen.map(({ hostname }) => hostname)), new Set(["127.0.0.1"]));
  await rig.emptied();
});

Deno.test("bodies pass whole, both ways, of every size around a TLS record", async () => {
  await using rig = await Rig.create((req) => new Response(req.body));
  const client = Deno.createHttpClient({ caCerts: [rig.certificates.ca] });
  const pattern = crypto.getRandomValues(new Uint8Array(65_521));
  for (const size of [0, 1, 16_383, 16_384, 16_385, 65_536, 262_145, 5 * MIB + 3]) {
    const body = new Uint8Array(size).map((_, i) => pattern[i % pattern.length]!);
    const response = await fetch(`https://127.0.0.1:${rig.port}/`, {
      method: "POST",
      body,
      client,
    });
    assert.ok(Buffer.from(body).equals(Buffer.from(await response.arrayBuffer())), `${size} bytes`);
  }
  client.close();
  await rig.emptied();
});

Deno.test("a client that has sent its last and ended its half is answered", async () => {
  await using rig = await Rig.create(async (req) => new Response((await req.text()).toUpperCase()));
  const conn = await rig.connect();
  await send(
    conn,
    "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
  );
  await conn.closeWrite();
  assert.match(await new Response(conn.readable).text(), /^HTTP\/1\.1 200 OK[^]*\r\n\r\nHI$/);
  await rig.emptied();
});

Deno.test("a client that goes in the middle of a request is noticed by its signal", async () => {
  const aborted = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  await using rig = await Rig.create(async ({ signal }) => {
    signal.onabort = () => aborted.resolve();
    entered.resolve();
    await aborted.promise;
    return new Response();
  });
  const conn = await rig.connect();
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await entered.promise;
  conn.close();
  await aborted.promise;
  await rig.emptied();
});

Deno.test("when the server closes a connection, the client's is closed, and is forgotten", async () => {
  await using rig = await Rig.create(() => new Response("bye"));
  const conn = await rig.connect();
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(await new Response(conn.readable).text(), /bye$/);
  await rig.emptied();
});

Deno.test("a body that the handler does not read holds its sender", async () => {
  const go = Promise.withResolvers<void>();
  await using rig = await Rig.create(async (req) => {
    await go.promise;
    let bytes = 0;
    for await (const part of req.body!) bytes += part.length;
    return new Response(`${bytes}`);
  });
  using release = new DisposableStack();
  release.defer(go.resolve);
  const conn = await rig.connect();
  const total = 64 * MIB;
  await send(
    conn,
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${total}\r\n\r\n`,
  );
  const chunk = new Uint8Array(MIB);
  let sent = 0;
  const sending = (async () => {
    while (sent < total) sent += await conn.write(chunk);
  })();
  // Until it has stood still for a while: what it stands at is what is held on the way.
  for (let before = -1; before !== sent;) {
    before = sent;
    await settled(sending, 500);
  }
  assert.ok(sent < total / 2, `${sent} bytes were taken in though nobody read them`);
  go.resolve();
  await sending;
  assert.match(await new Response(conn.readable).text(), new RegExp(`\r\n\r\n${total}$`));
});

Deno.test("an answer that the client does not read holds the handler", async () => {
  let produced = 0;
  let cancelled = false;
  await using rig = await Rig.create(() =>
    new Response(
      new ReadableStream({
        type: "bytes",
        pull(controller) {
          produced += MIB;
          controller.enqueue(new Uint8Array(MIB));
        },
        cancel: () => void (cancelled = true),
      }),
    )
  );
  const conn = await rig.connect();
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await until("it has begun", () => produced > 0);
  for (let before = -1; before !== produced;) {
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  assert.ok(produced < 64 * MIB, `${produced} bytes were produced though nobody read them`);
  conn.close();
  await until("the handler is told", () => cancelled);
  await rig.emptied();
});

Deno.test("strangers that break the handshake off are no event, and leave nothing", async () => {
  await using rig = await Rig.create(() => new Response("ok"));
  using logs = new CapturedLogs();
  const plain = () => Deno.connect({ hostname: "127.0.0.1", port: rig.port });
  const say = async (bytes: Uint8Array) => {
    const conn = await plain();
    await conn.write(bytes);
    await new Response(conn.readable).arrayBuffer().catch(() => {});
  };
  await say(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await say(crypto.getRandomValues(new Uint8Array(5_000)));
  // A client that does not know the CA says so and goes.
  await assert.rejects(fetch(`https://127.0.0.1:${rig.port}/`));
  for (const hello of [[], [0x16, 3, 1], [0x16, 3, 1, 2, 0, 1, 0]]) {
    const conn = await plain();
    await conn.write(new Uint8Array(hello));
    conn.close();
  }
  await rig.emptied();
  assert.deepEqual(logs.records.filter(({ level }) => level !== "debug"), []);
  const client = Deno.createHttpClient({ caCerts: [rig.certificates.ca] });
  const response = await fetch(`https://127.0.0.1:${rig.port}/`, { client });
  assert.equal(await response.text(), "ok");
  client.close();
});

Deno.test("who does not begin is closed: without a handshake, in the middle of it, and after", async () => {
  await using rig = await Rig.create(() => new Response("ok"), 100);
  const options = { hostname: "127.0.0.1", port: rig.port };
  for (const hello of [[], [0x16, 3, 1, 2, 0, 1, 0]]) {
    const conn = await Deno.connect(options);
    await conn.write(new Uint8Array(hello));
    assert.equal((await new Response(conn.readable).text().catch(() => "")).length, 0);
  }
  const conn = await rig.connect();
  assert.equal((await new Response(conn.readable).text().catch(() => "")).length, 0);
  await rig.emptied();
});

Deno.test("stopping waits for the request in hand, and closes who is silent", async () => {
  const entered = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const rig = await Rig.create(async () => {
    entered.resolve();
    await go.promise;
    return new Response("late");
  });
  await using _idle = await rig.connect().then((conn) => ({
    [Symbol.asyncDispose]: () => Promise.resolve(conn.close()),
  }));
  const conn = await rig.connect();
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await entered.promise;
  const stopping = rig.listener.shutdown();
  await until("the silent one is closed", () => rig.listener.size === 1);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: rig.port }));
  go.resolve();
  assert.match(await new Response(conn.readable).text(), /late$/);
  await stopping;
  assert.equal(rig.listener.size, 0);
  await rig.certificates[Symbol.asyncDispose]();
});

Deno.test("stopping answers who is still in the handshake", async () => {
  await using rig = await Rig.create(() => new Response("just so"));
  const options = { hostname: "127.0.0.1", port: rig.port };
  const plain = await Deno.connect(options);
  await until("it was accepted", () => rig.listener.size === 1);
  const stopping = rig.listener.shutdown();
  const conn = await Deno.startTls(plain, { ...options, caCerts: [rig.certificates.ca] });
  await send(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.match(await new Response(conn.readable).text(), /just so$/);
  await stopping;
});
