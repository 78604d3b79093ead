import assert from "node:assert/strict";
import { createServer } from "node:https";
import { probe } from "../../src/join/call.mjs";
import { Unreachable } from "../../src/join/failure.mjs";
import { gatewayAt, JoinError } from "../../src/join/gateway.mjs";
import { hours, TestCertificates } from "../support/certificates.ts";
import { freePort } from "../support/free_port.ts";
import { Joined } from "../support/joined.ts";

/** What is said of a gateway that cannot be joined. */
async function whyNot(url: string, caFile?: string): Promise<Unreachable> {
  try {
    await probe(gatewayAt(url, caFile));
  } catch (error) {
    if (error instanceof Unreachable) return error;
    throw error;
  }
  throw new Error("it can be reached");
}

Deno.test("join: what is wrong with a certificate is named, and who has to mend it", async (t) => {
  await using certificates = await TestCertificates.create();
  await using others = await TestCertificates.create();
  const ca = `${certificates.directory}/ca.pem`;
  await Deno.writeTextFile(ca, certificates.ca);
  const otherCa = `${others.directory}/ca.pem`;
  await Deno.writeTextFile(otherCa, others.ca);

  const step = (
    name: string,
    pattern: RegExp,
    { caFile, ...certificate }: {
      validity?: ReturnType<typeof hours>;
      hosts?: string[];
      caFile?: string;
    },
  ) =>
    t.step(name, async () => {
      await certificates.renew(certificate.validity, certificate.hosts);
      await using server = await tlsServer(certificates);
      const why = await whyNot(server.url, caFile);
      assert.match(why.message, pattern);
      assert.ok(why.lasts, "waiting does not mend it");
      assert.ok(why.message.length <= 300, "codex's user has to read it");
      // The same is answered to codex, and said once.
      await using joined = await Joined.to(server.url, { ca: caFile });
      for (let call = 0; call < 3; call++) {
        const answer = await fetch(`${joined.url}/cloud/environment/exe_1/register`, {
          method: "POST",
        });
        assert.equal(answer.status, 502);
        assert.equal((await answer.json()).error.message, why.message);
      }
      assert.equal(joined.said.length, 1, joined.said.join("\n"));
    });

  await step(
    "an authority that nobody knows",
    /is signed by "test CA", which is not known here: .* --ca FILE$/,
    {},
  );
  await step(
    "another authority of the same name",
    /is signed by "test CA", which is not in .*ca\.pem: /,
    { caFile: otherCa },
  );
  await step("another name", /is for gateway\.example, not for 127\.0\.0\.1: /, {
    caFile: ca,
    hosts: ["gateway.example"],
  });
  await step("over", /expired on \d{4}-\S+Z, .* renewed on the gateway's machine$/, {
    caFile: ca,
    validity: hours(-2, -1),
  });
  await step("not yet good", /is good only from \d{4}-\S+Z on: .*clock right\?$/, {
    caFile: ca,
    validity: hours(1, 2),
  });
  await t.step("good, but no gateway's", async () => {
    await certificates.renew();
    await using server = await tlsServer(certificates);
    const { message, lasts } = await whyNot(server.url, ca);
    assert.match(message, /answers, but not as a codex-exec-gateway does \(GET .* got 200\)$/);
    assert.ok(lasts);
  });
});

Deno.test("join: what else can be wrong is told apart, and whether it passes", async () => {
  const port = freePort();
  const refused = await whyNot(`http://127.0.0.1:${port}`);
  assert.match(refused.message, /nothing listens at 127\.0\.0\.1:\d+ .*is the gateway running\?/);
  assert.ok(!refused.lasts);

  const nameless = await whyNot("https://gateway.invalid");
  assert.match(nameless.message, /no host is called gateway\.invalid|cannot be looked up/);
  assert.ok(!nameless.lasts);

  await using plain = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response(null, { status: 502 }),
  );
  const noTls = await whyNot(`https://127.0.0.1:${plain.addr.port}`);
  assert.match(noTls.message, /does not speak TLS: is its URL http:\/\/127\.0\.0\.1:\d+\?/);
  assert.ok(noTls.lasts);

  const behindProxy = await whyNot(`http://127.0.0.1:${plain.addr.port}`);
  assert.match(behindProxy.message, /answers 502/);
  assert.ok(!behindProxy.lasts);
});

Deno.test("join: a URL or a CA file that is of no use is named", async () => {
  for (
    const url of [
      "gateway",
      "ws://h",
      "http://",
      "https://user:secret@h",
      "https://h/?token=secret",
      "https://h/#secret",
    ]
  ) {
    assert.throws(() => gatewayAt(url), (error) => {
      assert.ok(error instanceof JoinError);
      assert.match(error.message, /--gateway must be/);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
  assert.throws(
    () => gatewayAt("https://h", "/nowhere/ca.pem"),
    /cannot read the CA file \/nowhere/,
  );
  const empty = await Deno.makeTempFile();
  try {
    assert.throws(() => gatewayAt("https://h", empty), /holds no certificate \(PEM\)/);
  } finally {
    await Deno.remove(empty);
  }
  const { authority, basePath, port, host } = gatewayAt("https://[::1]:8443/base/");
  assert.deepEqual({ authority, basePath, port, host }, {
    authority: "[::1]:8443",
    basePath: "/base",
    port: 8443,
    host: "::1",
  });
});

/** A server with TLS that is no gateway. */
async function tlsServer({ files }: TestCertificates) {
  const server = createServer({
    cert: await Deno.readTextFile(files.certFile),
    key: await Deno.readTextFile(files.keyFile),
  }, (_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `https://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
