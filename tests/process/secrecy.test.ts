import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Gateway, runCli, TempDir } from "../support/process.ts";

Deno.test("no credential, good or wrong, is in the log, on the screen or in the database", async (t) => {
  await using dir = await TempDir.withDatabase();
  const shared = "shared-hunter2-secret-of-some-length";
  const variables = { CXG_INTERNAL_SHARED_SECRET: shared };
  /** Everything that must not be found, by what it is. */
  const credentials: Record<string, string> = { shared };
  await using gateway = await Gateway.start(dir.path, { ...variables, CXG_LOG_LEVEL: "debug" });

  const cli = async (...words: string[]) => {
    const ended = await runCli(dir.path, [...words, "--json"], variables);
    assert.equal(ended.code, 0, ended.stderr);
    // That an executor is not connected now is of no importance here.
    assert.equal(ended.stderr.replaceAll(/^token mint: warning: .*\n/gm, ""), "");
    return JSON.parse(ended.stdout);
  };
  const request = async (method: string, path: string, token?: string, body?: string) => {
    const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
    const response = await fetch(gateway.url + path, { method, headers, body });
    return { status: response.status, text: await response.text() };
  };

  let exeId = "";
  await t.step("each credential is used as it is meant to be", async () => {
    const secrets = JSON.parse(await Deno.readTextFile(`${dir.path}/secrets.json`));
    Object.assign(credentials, secrets);
    const { exe_id, registration_token } = await cli(
      ...["executor", "add", "--name", "n", "--workspace", "ws_1"],
    );
    exeId = exe_id;
    const { token, turn_id } = await cli(
      ...["token", "mint", "--workspace", "ws_1", "--exe", exe_id],
    );
    const registered = await request(
      "POST",
      `/cloud/executor/${exe_id}/register`,
      registration_token,
      '{"idempotency_id": "1"}',
    );
    assert.equal(registered.status, 200, registered.text);
    const ticket = new URL(JSON.parse(registered.text).url).searchParams.get("token")!;
    assert(ticket);
    for (const [name, credential] of Object.entries({ token, ticket })) {
      const [, , signature] = credential.split(".");
      Object.assign(credentials, { [name]: credential, [`${name}'s signature`]: signature });
    }
    credentials.registration_token = registration_token;
    for (
      const [path, message] of [
        [`/codex-exec/${exe_id}?token=${registration_token}`, "executor connected"],
        [`/codex-exec/${exe_id}?token=${ticket}`, "executor connected"],
      ] as const
    ) {
      const executor = await openWebSocket(gateway.ws(path));
      await gateway.record(message, exe_id);
      const harness = await openWebSocket(gateway.ws(`/bridge/${exe_id}?token=${token}`));
      await closeWebSocket(harness);
      await closeWebSocket(executor);
    }
    await cli("turn", "revoke", turn_id);
  });

  await t.step("and then as it is not", async () => {
    const { token, ticket } = credentials as { token: string; ticket: string };
    const { token: expired } = await cli(
      ...["token", "mint", "--workspace", "ws_1", "--exe", exeId, "--ttl", "1s"],
    );
    credentials.expired = expired;
    const wrong = credentials.wrong = "wrong-hunter2-credential";
    const paths = [
      `/bridge/${exeId}`,
      `/codex-exec/${exeId}`,
      "/bridge/exe_other",
      "/codex-exec/exe_other",
      "/nowhere",
      "/healthz",
    ];
    for (const credential of Object.values(credentials)) {
      for (const path of paths) {
        const query = `?token=${encodeURIComponent(credential)}`;
        for (
          const answer of [
            await request("GET", path + query),
            await request("GET", path, credential),
          ]
        ) assertNothingFound(answer.text, { credential }, `the answer of ${path}`);
      }
    }
    for (const credential of [wrong, token, ticket]) {
      for (
        const path of [
          `/cloud/executor/${exeId}/register`,
          "/api/codex-exec/register",
          "/api/exec-gateway/revoke-turn",
        ]
      ) {
        const { status, text } = await request("POST", path, credential, `{"x": "${credential}"`);
        // So many wrong ones from one address are asked to stay away.
        assert.ok(status === 401 || status === 429, `${status}`);
        assertNothingFound(text, { credential }, `the answer of ${path}`);
      }
    }
    const broken = await request(
      "POST",
      "/api/exec-gateway/revoke-turn",
      shared,
      `{"turn_id": "${token}"`,
    );
    assert.equal(broken.status, 400);
    assertNothingFound(broken.text, { token }, "the answer to a broken body");
  });

  gateway.signal("SIGTERM");
  assert.equal((await gateway.exited).code, 0);

  await t.step("each line of the log is a JSON object with a time, a level and a message", () => {
    assert(gateway.records.length >= 10, gateway.stderr);
    for (const record of gateway.records) {
      assert(!Number.isNaN(Date.parse(String(record["@timestamp"]))));
      assert.match(String(record.level), /^(DEBUG|INFO|WARN|ERROR)$/);
      assert.equal(typeof record.message, "string");
    }
    assert.deepEqual(gateway.records.filter(({ level }) => level === "ERROR"), []);
  });

  await t.step("nothing of it all is found", async () => {
    assert(Object.keys(credentials).length >= 9);
    assertNothingFound(gateway.stderr, credentials, "the log");
    assertNothingFound(gateway.stdout, credentials, "the screen");
    const files = await Array.fromAsync(filesBelow(dir.path));
    assert(files.length > 100, "the database has many files");
    for (const file of files) {
      if (file === `${dir.path}/secrets.json`) continue;
      assertNothingFound(await Deno.readFile(file), credentials, file);
    }
  });
});

function assertNothingFound(
  text: string | Uint8Array,
  credentials: Record<string, string>,
  where: string,
): void {
  const bytes = Buffer.from(text as string);
  for (const [name, credential] of Object.entries(credentials)) {
    assert(credential.length >= 8, `${name} is too short to look for`);
    assert(!bytes.includes(credential), `${where} has the credential "${name}"`);
  }
}

async function* filesBelow(path: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory) yield* filesBelow(`${path}/${name}`);
    else yield `${path}/${name}`;
  }
}

async function openWebSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("the websocket did not open"));
  });
  return socket;
}

async function closeWebSocket(socket: WebSocket): Promise<void> {
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
}
