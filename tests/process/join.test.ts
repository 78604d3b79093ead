import assert from "node:assert/strict";
import { JOIN_PROGRAM } from "../../src/cli/join_program.ts";
import { TestCertificates } from "../support/certificates.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { freePort } from "../support/free_port.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { NOISE_REGISTRATION } from "../support/relay.ts";
import { Task } from "../support/process.ts";
import { connect } from "../support/websocket.ts";

const URL_LINE = /^http:\/\/127\.0\.0\.1:(\d+)\n/;

/** `deno task -q join`, with these words. */
function joinTask(...words: string[]): Task {
  return new Task(["task", "-q", "join", ...words], {});
}

onAnyDatabase(
  "deno task join: its URL once the gateway is reached, 0 when it is told to stop",
  async (store) => {
    await using certificates = await TestCertificates.create();
    const ca = `${certificates.directory}/ca.pem`;
    await Deno.writeTextFile(ca, certificates.ca);
    const port = freePort();
    const url = `https://127.0.0.1:${port}`;
    await using join = joinTask("--gateway", url, "--ca", ca, "--port", "0");
    await join.stderrMatch(/^join: nothing listens at 127\.0\.0\.1:\d+ /m);
    assert.equal(join.stdout, "");
    await using gateway = await startGateway(store, {
      port,
      tls: certificates.files,
      ca: certificates.ca,
    });
    const [, joinPort] = await join.stdoutMatch(URL_LINE);
    await assertPasses(gateway, Number(joinPort));
    join.signal("SIGTERM");
    assert.equal((await join.exited).code, 0);
    assert.equal(join.stderrLines.length, 2, join.stderr);
    assert.equal(join.stderrLines[1], `join: passes on to ${url}; here it is`);
  },
);

Deno.test("deno task join: what only a person can mend ends it, with 1 or 2", async () => {
  await using certificates = await TestCertificates.create();
  const { cert, key } = {
    cert: await Deno.readTextFile(certificates.files.certFile),
    key: await Deno.readTextFile(certificates.files.keyFile),
  };
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
    () => new Response("hello"),
  );
  const url = `https://127.0.0.1:${server.addr.port}`;
  const taken = `${server.addr.port}`;
  for (
    const [words, code, complaint] of [
      [["--gateway", url, "--port", "0"], 1, /signed by "test CA", which is not known here/],
      [["--gateway", url, "--port", taken], 1, /port \d+ is in use .* --port/],
      [["--gateway", url, "--ca", "/nowhere/ca.pem"], 1, /cannot read the CA file \/nowhere/],
      [["--gateway", "ftp://gateway"], 1, /--gateway must be an http:/],
      [[], 2, /--gateway is required\nSee: .* join --help$/m],
      [["--gateway", url, "--port", "x"], 2, /--port must be/],
      [["--gateway", url, "--colour", "red"], 2, /--colour/],
    ] as const
  ) {
    await using join = joinTask(...words);
    assert.equal((await join.exited).code, code, join.stderr);
    assert.match(join.stderr, complaint);
    assert.doesNotMatch(join.stderr, /^ +at /m, "a stack trace");
    assert.equal(join.stdout, "");
  }
  await using help = joinTask("--help");
  assert.equal((await help.exited).code, 0);
  assert.match(help.stdout, /^usage: .* join --gateway URL /);
});

onAnyDatabase("the program of a join file runs under Node", async (store) => {
  await using certificates = await TestCertificates.create();
  const dir = certificates.directory;
  await Deno.writeTextFile(`${dir}/ca.pem`, certificates.ca);
  for (const [name, text] of Object.entries(JOIN_PROGRAM)) {
    await Deno.writeTextFile(`${dir}/${name}`, text);
  }
  await using gateway = await startGateway(store, {
    tls: certificates.files,
    ca: certificates.ca,
  });
  const child = new Deno.Command("node", {
    args: [`${dir}/index.js`, "--gateway", gateway.url, "--ca", `${dir}/ca.pem`, "--port", "0"],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value = "" } = await reader.read();
    await assertPasses(gateway, Number(URL_LINE.exec(value)?.[1]));
  } finally {
    child.kill("SIGTERM");
  }
  assert.equal((await child.status).code, 0);
}, { ignore: !await hasNode() });

/** Registers an executor through a port of `join`, and dials in as it is told. */
async function assertPasses(gateway: TestGateway, joinPort: number): Promise<void> {
  const { exe_id, registration_token } = await gateway.createExecutor();
  const path = `/cloud/environment/${exe_id}/register`;
  const answer = await fetch(`http://127.0.0.1:${joinPort}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}` },
    body: JSON.stringify(NOISE_REGISTRATION),
  });
  const { url } = await answer.json();
  assert.equal(new URL(url).host, `127.0.0.1:${joinPort}`);
  await using _socket = await connect(url);
  await untilConnected(gateway, exe_id);
}

async function hasNode(): Promise<boolean> {
  try {
    return (await new Deno.Command("node", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
}
