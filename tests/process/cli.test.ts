import assert from "node:assert/strict";
import { verifyCapabilityToken } from "../../src/auth/capability_token.ts";
import { freePort } from "../support/free_port.ts";
import { connect } from "../support/websocket.ts";
import { type Finished, Gateway, runCli, TempDir } from "../support/process.ts";

Deno.test("the command line, with a gateway that runs", async (t) => {
  await using dir = await TempDir.withDatabase();
  const dataDir = dir.path;
  await using gateway = await Gateway.start(dataDir);
  const cli = (...words: string[]) => runCli(dataDir, words);
  const json = async (...words: string[]) => JSON.parse(done(await cli(...words, "--json")));
  const list = (workspace: string) => json("executor", "list", "--workspace", workspace);
  const add = (...more: string[]) => json("executor", "add", "--name", "n", ...more);

  await t.step("executor add: every flag is kept, and shown by executor list", async () => {
    const { exe_id, registration_token, workspace_id, run } = await add(
      ...["--workspace", "ws_add", "--default", "--description", "the big one"],
      ...["--cwd", "/srv/project", "--user", "alice"],
    );
    assert.match(exe_id, /^exe_[0-9a-f-]{36}$/);
    assert.match(registration_token, /^[0-9a-f]{64}$/);
    assert.equal(workspace_id, "ws_add");
    assert(run.length >= 2);
    for (const { releases, from, line } of run) {
      assert.match(releases, /^codex 0\.\d+/);
      assert.match(from, /^0\.\d+\.0$/);
      for (const part of [exe_id, registration_token, gateway.url]) assert(line.includes(part));
    }
    assert.deepEqual(await list("ws_add"), [{
      exe_id,
      name: "n",
      is_online: false,
      description: "the big one",
      default_cwd: "/srv/project",
      is_default: true,
      connected: false,
      workspaces: [{ workspace_id: "ws_add", is_default: true }],
    }]);
    const { user_id } = await gateway.record("executor created", exe_id);
    assert.equal(user_id, "alice");
  });

  await t.step(
    "executor list: a table, in the order of binding, or that there is none",
    async () => {
      const first = await add("--workspace", "ws_list");
      const second = await add("--workspace", "ws_list", "--default");
      const lines = done(await cli("executor", "list", "--workspace", "ws_list")).split("\n");
      assert.match(
        lines[0]!,
        /^EXECUTOR +NAME +CONNECTED +KIND +WORKSPACES +LAST SEEN +DESCRIPTION$/,
      );
      assert.match(lines[1]!, new RegExp(`^${first.exe_id} +n +no +- +ws_list +never +n$`));
      assert.match(
        lines[2]!,
        new RegExp(`^${second.exe_id} +n +no +- +ws_list \\(default\\) +never +n$`),
      );
      assert.equal(lines[3], "2 executors, 0 connected");
      assert.equal(lines.length, 5);
      assert.match(done(await cli("executor", "list", "--workspace", "ws_none")), /no executor/);
      assert.deepEqual(await list("ws_none"), []);
    },
  );

  await t.step(
    "what would turn a terminal's line around is written out, in every answer",
    async () => {
      const { exe_id } = await add("--workspace", "ws_odd");
      const { agentserver_internal_secret } = JSON.parse(
        await Deno.readTextFile(`${dataDir}/secrets.json`),
      );
      // Not by the command line: `deno task` prints what it runs as it is.
      const name = "a\u202exo\n\x9bb\u2028\u2066c";
      const renamed = await fetch(`${gateway.url}/api/codex-exec/executors/${exe_id}`, {
        method: "PATCH",
        headers: { "x-internal-secret": agentserver_internal_secret },
        body: JSON.stringify({ display_name: name }),
      });
      assert.ok(renamed.ok, await renamed.text());
      const listed = ["executor", "list", "--workspace", "ws_odd"];
      const answers = [
        done(await cli(...listed)),
        done(await cli(...listed, "--json")),
        done(await cli("executor", "show", exe_id)),
        done(await cli("executor", "unbind", exe_id, "--workspace", "ws_odd")),
      ];
      for (const answer of answers) {
        assert.ok(answer.includes("a\\u202exo\\n\\u009bb\\u2028\\u2066c"), answer);
        assert.doesNotMatch(answer.replaceAll("\n", ""), /[\p{C}\p{Zl}]/u);
      }
      assert.equal(JSON.parse(answers[1]!)[0].name, name);
    },
  );

  await t.step("executor list: over which of them several machines fight", async () => {
    const { exe_id, registration_token } = await add("--workspace", "ws_fight");
    const dial = () =>
      connect(`${gateway.ws("/codex-exec/")}${exe_id}?token=${registration_token}`);
    const machines = [await dial()];
    for (let replaced = 0; replaced < 4; replaced++) {
      machines.push(await dial());
      await machines[replaced]!.closed;
    }
    const { code, stdout, stderr } = await cli("executor", "list", "--workspace", "ws_fight");
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`^${exe_id} +n +yes, contested +exclusive `, "m"));
    assert.match(stderr, new RegExp(`^executor list: several machines use .* of ${exe_id}: give `));
    const [{ contested_until }] = await list("ws_fight");
    assert.ok(Date.parse(contested_until) > Date.now());
    await machines.at(-1)![Symbol.asyncDispose]();
  });

  await t.step("executor remove: the executor, or with --workspace only its binding", async () => {
    const one = await add("--workspace", "ws_remove");
    const two = await add("--workspace", "ws_remove");
    const words = ["executor", "remove", one.exe_id];
    assert.match(done(await cli(...words, "--workspace", "ws_remove")), /^unbound exe_/);
    assert.deepEqual((await list("ws_remove")).map((e: { exe_id: string }) => e.exe_id), [
      two.exe_id,
    ]);
    assert.deepEqual(await json("executor", "remove", two.exe_id), {
      exe_id: two.exe_id,
      removed: true,
    });
    assert.deepEqual(await list("ws_remove"), []);
    assert.equal(done(await cli(...words)), `removed ${one.exe_id} (n)\n`);
    assertComplains(await cli(...words), 1, /there is no executor exe_/);
  });

  await t.step(
    "token mint: a token that the gateway's secret signed, for as long as asked",
    async () => {
      const now = Math.floor(Date.now() / 1000);
      const words = [
        "token",
        "mint",
        "--workspace",
        "ws_1",
        "--exe",
        "exe_one",
        "--exe",
        "exe_two",
      ];
      const { token, turn_id, exp, harness } = await json(
        ...words,
        "--turn",
        "turn_7",
        "--ttl",
        "2d",
      );
      const payload = await verifyCapabilityToken(token, await capTokenSecret(dataDir));
      assert.equal(turn_id, "turn_7");
      assert.deepEqual({ ...payload, iat: 0 }, {
        turn_id: "turn_7",
        workspace_id: "ws_1",
        exe_ids: ["exe_one", "exe_two"],
        iat: 0,
        exp,
      });
      assert(payload.iat >= now && payload.iat <= now + 60);
      assert.equal(exp, payload.iat + 2 * 86_400);
      assert.deepEqual(harness.map((h: { exe_id: string }) => h.exe_id), ["exe_one", "exe_two"]);
      for (const { lines } of harness) {
        for (const { line } of lines) assert(line.includes(token), line);
      }
      const text = done(await cli(...words));
      const shown = /^token +(\S+)$/m.exec(text)?.[1] ?? "";
      const other = await verifyCapabilityToken(shown, await capTokenSecret(dataDir));
      assert.match(other.turn_id, /^turn_[0-9a-f-]{36}$/, "a turn of its own when none is named");
      assert.equal(other.exp, other.iat + 3600);
      assert.match(
        text,
        new RegExp(`CODEX_EXEC_SERVER_URL='${gateway.ws("/bridge/exe_one")}\\?token=`),
      );
    },
  );

  await t.step(
    "executor add --direct: a pair, shown once, and the line that it is for",
    async () => {
      const { exe_id, registration_token, direct, run } = await add(
        "--workspace",
        "ws_d",
        "--direct",
      );
      assert.match(registration_token, /^[0-9a-f]{64}$/);
      assert.deepEqual(Object.keys(direct), ["access_key_id", "secret_access_key"]);
      const { access_key_id, secret_access_key } = direct;
      assert.deepEqual(run.map(({ line }: { line: string }) => line), [
        `AWS_ACCESS_KEY_ID=${access_key_id} AWS_SECRET_ACCESS_KEY=${secret_access_key} ` +
        `AWS_REGION=us-east-1 codex exec-server --remote ${gateway.url} --environment-id ${exe_id} ` +
        "--remote-transport direct --aws-sigv4",
      ]);
      const words = ["executor", "add", "--name", "n", "--workspace", "ws_d", "--direct"];
      assert.match(done(await cli(...words)), /AWS_SECRET_ACCESS_KEY=[\w-]{43} .* --aws-sigv4$/m);
      assert.equal((await add("--workspace", "ws_d")).direct, undefined);
    },
  );

  await t.step("executor add: what tokens in the clear are for is said", async () => {
    const elsewhere = { CXG_PUBLIC_WS_BASE_URL: "ws://gateway.example:6060" };
    const words = ["executor", "add", "--name", "n", "--workspace", "ws_d", "--direct"];
    const added = await runCli(dataDir, words, elsewhere);
    assert.equal(added.code, 0, added.stderr);
    // codex starts a direct executor only for https or for loopback.
    const join =
      "node src/join --gateway http://gateway.example:6060 --port 0 | (read -r url && AWS_";
    assert(added.stdout.includes(join), added.stdout);
    assert.match(added.stderr, /tokens and output pass in the clear/);
    const secure = { CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example" };
    assert.equal((await runCli(dataDir, words, secure)).stderr, "");
  });

  await t.step("executor add --join-file: a file of its own, or standard output", async () => {
    const words = ["executor", "add", "--name", "n", "--workspace", "ws_j", "--join-file"];
    const shown = await cli(...words, "-");
    const [exeId] = /exe_[0-9a-f-]{36}/.exec(done(shown)) ?? [];
    assert.match(shown.stdout, /^#!\/bin\/sh\n/);
    assert.deepEqual((await list("ws_j")).map(({ exe_id }: { exe_id: string }) => exe_id), [exeId]);

    // The task may write below the directory of deno.json.
    const path = `.cache/cli-test-${crypto.randomUUID()}.join`;
    try {
      const { registration_token, join_file } = await json(...words, path);
      assert.equal(join_file, path);
      assert((await Deno.readTextFile(path)).includes(registration_token));
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
      const before = await list("ws_j");
      assertComplains(await cli(...words, path), 1, /it is there already/);
      assertComplains(await cli(...words, "../x.join"), 1, /may write below the directory/);
      assertComplains(await cli(...words, "-", "--json"), 2, /--join-file - and --json/);
      assert.deepEqual(await list("ws_j"), before, "no executor that nobody can start");
    } finally {
      await Deno.remove(path);
    }
  });

  await t.step("token mint --environments: the file, and nothing else", async () => {
    const named = async (name: string) =>
      (await json("executor", "add", "--workspace", "ws_env", "--name", name)).exe_id;
    const names = ["Büro 2", "buro 2", "local", "x".repeat(41)];
    const ids: string[] = [];
    for (const name of names) ids.push(await named(name));
    ids.push("exe_of_nobody");
    const exes = [...ids, ids[0]!].flatMap((id) => ["--exe", id]);
    const words = ["token", "mint", "--workspace", "ws_env", "--environments", ...exes];
    const toml = done(await cli(...words));
    const field = (name: string) =>
      [...toml.matchAll(new RegExp(`^${name} = (.*)$`, "gm"))].map(([, value]) =>
        JSON.parse(value!)
      );
    assert.deepEqual(field("id"), ["Buro-2", "buro-2-2", "local-2", ids[3], "exe_of_nobody"]);
    assert.deepEqual(field("default"), ["Buro-2"]);
    assert.deepEqual(field("include_local"), [false]);
    assert.deepEqual(field("url"), ids.map((id) => gateway.ws(`/bridge/${id}`)));
    const tokens = new Set(field("auth_bearer_token"));
    assert.equal(tokens.size, 1);
    const [token] = tokens;
    const { exe_ids } = await verifyCapabilityToken(token, await capTokenSecret(dataDir));
    assert.deepEqual(exe_ids, ids, "each once");
    const { environments_toml } = await json(...words);
    assert.equal(environments_toml.split("\n[[environments]]\n").length, ids.length + 1);

    const far = { CXG_PUBLIC_WS_BASE_URL: "ws://gateway.example:6060" };
    const clear = done(await runCli(dataDir, words, far));
    assert.match(clear, /^url = "ws:\/\/gateway\.example:6060\/bridge\/exe_\S+\?token=\S+"$/m);
    assert.doesNotMatch(clear, /auth_bearer_token/, "codex would refuse the file");
    const secure = { CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example" };
    assert.match(done(await runCli(dataDir, words, secure)), /^auth_bearer_token = "ey/m);
  });

  await t.step("turn revoke: the turn's token is refused from now on", async () => {
    const { exe_id } = await add("--workspace", "ws_revoke");
    for (const format of [[], ["--json"]]) {
      const words = ["token", "mint", "--workspace", "ws_revoke", "--exe", exe_id];
      const { token, turn_id } = await json(...words);
      const bridge = () =>
        fetch(`${gateway.url}/bridge/${exe_id}?token=${token}`).then(async (response) => {
          await response.body?.cancel();
          return response.status;
        });
      assert.equal(await bridge(), 503, "good, but the executor is not connected");
      const said = done(await cli("turn", "revoke", turn_id, ...format));
      if (format.length === 0) {
        assert.match(said, new RegExp(`^revoked ${turn_id} until \\d{4}-.*, 0 bridges ended\n`));
      } else {
        const { revoked_until, ...rest } = JSON.parse(said);
        assert.deepEqual(rest, { turn_id, bridges_ended: 0, revoked: true });
        assert.ok(revoked_until > Date.now() / 1000 + 6 * 86_400);
      }
      assert.equal(await bridge(), 401);
    }
  });

  await t.step(
    "executors are found by name and by the beginning of an id, and changed",
    async () => {
      const one = await add("--workspace", "ws_find");
      const [executor] = await list("ws_find");
      assert.equal(executor.name, "n");
      done(await cli("executor", "rename", one.exe_id.slice(0, 12), "laptop"));
      const shown = await json("executor", "show", "laptop");
      assert.deepEqual([shown.exe_id, shown.name, shown.user_id, shown.connected], [
        one.exe_id,
        "laptop",
        "local",
        false,
      ]);
      assertComplains(await cli("executor", "show", "labtop"), 1, /did you mean laptop\?/);
      done(await cli("executor", "bind", "laptop", "--workspace", "ws_also"));
      done(await cli("executor", "default", "laptop", "--workspace", "ws_also"));
      assert.deepEqual((await json("executor", "show", "laptop")).workspaces, [
        { workspace_id: "ws_find", is_default: false },
        { workspace_id: "ws_also", is_default: true },
      ]);
      done(await cli("executor", "unbind", "laptop", "--workspace", "ws_find"));
      const all = await json("executor", "list");
      const found = all.find(({ exe_id }: { exe_id: string }) => exe_id === one.exe_id);
      assert.deepEqual(found.workspaces, [{ workspace_id: "ws_also", is_default: true }]);
      assert.match(
        done(await cli("executor", "list", "--connected")),
        /executors, \d+ connected\n$/,
      );

      // Another token: the old one ends, and who is connected by it.
      const dial = (token: string) =>
        connect(`${gateway.ws("/codex-exec/")}${one.exe_id}?token=${token}`);
      await using machine = await dial(one.registration_token);
      const { registration_token, run } = await json("executor", "rotate", "laptop");
      assert.notEqual(registration_token, one.registration_token);
      assert.equal((await machine.closed).reason, "the registration token was replaced");
      assert(run.every(({ line }: { line: string }) => line.includes(registration_token)));
      await assert.rejects(dial(one.registration_token));
      await using _again = await dial(registration_token);
      const { executors_connected, database, version } = await json("status");
      assert.ok(executors_connected >= 1);
      assert.equal(database, "embedded");
      assert.match(version, /^\d+\.\d+\.\d+$/);
    },
  );

  await t.step(
    "token mint: says what a turn would not reach, and whose secret it is not",
    async () => {
      const { exe_id } = await add("--workspace", "ws_warn");
      const mint = (exe: string, variables = {}) =>
        runCli(dataDir, ["token", "mint", "--workspace", "ws_elsewhere", "--exe", exe], variables);
      const unreached = await mint(exe_id);
      assert.match(unreached.stderr, /not bound to workspace ws_elsewhere/);
      assert.match(unreached.stderr, /not connected now/);
      assert.match((await mint("exe_nobody")).stderr, /knows no executor exe_nobody/);
      assertComplains(await mint("nobody-of-this-name"), 1, /there is no executor/);
      const other = await mint(exe_id, {
        CXG_CAPTOKEN_HMAC_SECRET: "another secret of 32 characters!",
      });
      assert.match(other.stderr, /refuses this token \(.*signature/);
    },
  );

  await t.step("what the gateway refuses is one line and exit code 1", async () => {
    const long = "w".repeat(200);
    const refused = await cli("executor", "list", "--workspace", long);
    assertComplains(refused, 1, /^executor list: the gateway refused \(400\): /);
    assert.equal(refused.stderrLines.length, 1);
  });
});

Deno.test("the command line trusts the CA that a gateway of this machine made", async (t) => {
  await using dir = await TempDir.withDatabase();
  await using gateway = await Gateway.start(dir.path, { CXG_TLS: "self-signed" });
  assert.match(gateway.url, /^https:/);
  const words = ["executor", "add", "--name", "n", "--workspace", "w"];
  const pem = await Deno.readTextFile(`${dir.path}/tls/ca.pem`);

  await t.step("of itself, and its lines carry it", async () => {
    const { exe_id, run, ca } = JSON.parse(done(await runCli(dir.path, [...words, "--json"])));
    assert.equal(ca.pem, pem);
    assert.match(ca.sha256, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    for (const { line } of run) assert.match(line, /"\$HOME\/gateway-ca\.pem"/);
    const text = done(await runCli(dir.path, words));
    assert(text.includes(pem.trim()) && text.includes(ca.sha256));
    const mint = ["token", "mint", "--workspace", "w", "--exe", exe_id];
    const { harness, ca: again } = JSON.parse(done(await runCli(dir.path, [...mint, "--json"])));
    assert.deepEqual(again, ca);
    for (const { line } of harness[0].lines) assert.match(line, /^SSL_CERT_FILE=/);
    assert(done(await runCli(dir.path, mint)).includes(ca.sha256));
    const toml = done(await runCli(dir.path, [...mint, "--environments"]));
    assert.match(toml, /^# start codex with SSL_CERT_FILE=/m);
  });

  await t.step("elsewhere by --ca, and without that it says which CA is missing", async () => {
    await using elsewhere = await TempDir.empty();
    const secret = JSON.parse(await Deno.readTextFile(`${dir.path}/secrets.json`));
    const variables = { CXG_AGENTSERVER_INTERNAL_SECRET: secret.agentserver_internal_secret };
    const list = ["executor", "list", "--workspace", "w", "--url", gateway.url];
    const unknown = await runCli(elsewhere.path, list, variables);
    assertComplains(unknown, 1, /is signed by "codex-exec-gateway CA .*--ca FILE/);
    const caFile = `${elsewhere.path}/its-ca.pem`;
    await Deno.writeTextFile(caFile, pem);
    done(await runCli(elsewhere.path, [...list, "--ca", caFile], variables));
    assertComplains(
      await runCli(elsewhere.path, [...list, "--ca", "/nowhere.pem"], variables),
      1,
      /cannot read the CA file \/nowhere\.pem/,
    );
  });
});

const COMMANDS = [
  "executor add",
  "executor list",
  "executor show",
  "executor bind",
  "executor unbind",
  "executor default",
  "executor rename",
  "executor rotate",
  "executor remove",
  "token mint",
  "turn revoke",
];

Deno.test("the command line, without a gateway", async (t) => {
  await using dir = await TempDir.empty();
  const cli = (...words: string[]) => runCli(dir.path, words);

  await t.step("--help says how to use each command, and the program", async () => {
    await inTurns(COMMANDS, async (command) => {
      const text = done(await cli(...command.split(" "), "--help"));
      assert.match(text.split("\n")[0]!, new RegExp(`^usage: .* ${command} `));
      for (const flag of ["--url", "--ca", "--json", "--help"]) assert(text.includes(flag));
    });
    for (const words of [["--help"], ["help"], ["executor", "add", "-h"], ["serve", "--help"]]) {
      assert.match(done(await cli(...words)), /^usage: /m);
    }
    const overview = done(await cli("--help"));
    for (const command of COMMANDS.filter((it) => it !== "executor unbind")) {
      assert(overview.includes(`\n  ${command} `), overview);
    }
  });

  await t.step("wrong usage is exit code 2, and says what is wrong", async () => {
    await inTurns(
      [
        ["executor add --workspace w", /--name is required/],
        ["executor add --name n", /--workspace is required/],
        ["executor add --name n --workspace w more", /unexpected argument: more/],
        ["executor add --name n --workspace w --colour red", /--colour/],
        ["executor add --name --workspace w", /--name/],
        ["executor bind e", /--workspace is required/],
        ["executor rename e", /NAME is required/],
        ["executor list --conected", /there is no option --conected; did you mean --connected/],
        ["executor list --workspace w more", /unexpected argument: more/],
        ["executor remove", /EXECUTOR is required/],
        ["executor remove a b", /unexpected argument: b/],
        ["token mint --workspace w", /--exe is required/],
        ["token mint --exe e", /--workspace is required/],
        ["token mint --workspace w --exe e --ttl 1", /--ttl must be a duration/],
        ["token mint --workspace w --exe e --ttl 0s", /--ttl must be a duration/],
        ["token mint --workspace w --exe e --ttl -1h", /--ttl/],
        ["turn revoke", /TURN_ID is required/],
        ["turn revoke t --exp soon", /--exp must be/],
        ["turn revoke t --exp 1.5", /--exp must be/],
      ] as const,
      async ([words, complaint]) => {
        const refused = await cli(...words.split(" "));
        assertComplains(refused, 2, complaint);
        assert.match(refused.stderr, /See: .*--help\n$/);
      },
    );
  });

  await t.step(
    "a command that there is not is exit code 2, with those that there are",
    async () => {
      await inTurns(
        [
          ["bogus", /there is no command bogus\n/],
          ["executor destroy", /there is no command executor destroy/],
          ["executor lst", /did you mean executor list\?/],
          ["satus", /did you mean status\?/],
          ["--json", /there is no command/],
        ] as const,
        async ([words, complaint]) => {
          const refused = await cli(...words.split(" "));
          assertComplains(refused, 2, complaint);
          assert.match(refused.stderr, /See: .* --help\n$/);
        },
      );
      // A group alone, and the command line alone, are questions.
      const group = done(await cli("executor"));
      for (const command of COMMANDS.filter((it) => it.startsWith("executor "))) {
        assert(group.includes(command), group);
      }
      assert.match(done(await cli()), /^usage: /m);
      assert.match(done(await cli("--version")), /^codex-exec-gateway \d+\.\d+\.\d+ /);
    },
  );

  await t.step("serve takes no words: exit code 2, and nothing is served", async () => {
    assertComplains(await cli("serve", "now"), 2, /serve/);
    assertComplains(await cli("serve"), 2, /deno task -q start/);
  });

  await t.step("token mint --environments: without a gateway, by the executors' ids", async () => {
    const words = "token mint --workspace w --exe exe_one --environments".split(" ");
    const toml = done(
      await runCli(dir.path, words, {
        CXG_CAPTOKEN_HMAC_SECRET: "c".repeat(40),
        CXG_AGENTSERVER_INTERNAL_SECRET: "a".repeat(40),
        CXG_PORT: String(freePort()),
      }),
    );
    assert.match(toml, /^id = "exe_one"$/m);
  });

  await t.step("where no gateway has been, it says so", async () => {
    const refused = await cli("executor", "list", "--workspace", "w");
    assertComplains(refused, 1, /CXG_AGENTSERVER_INTERNAL_SECRET is not set, .*CXG_DATA_DIR/);
    assert.equal(refused.stderrLines.length, 1);
  });

  await t.step("a gateway that does not run is exit code 1, with its URL", async () => {
    const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = free.addr;
    free.close();
    const url = `http://127.0.0.1:${port}`;
    const variables = { CXG_AGENTSERVER_INTERNAL_SECRET: "hunter2secret" };
    await inTurns([
      "executor add --name n --workspace w",
      "executor list --workspace w",
      "executor remove e",
      "turn revoke t",
    ], async (words) => {
      const refused = await runCli(dir.path, [...words.split(" "), "--url", url], variables);
      assertComplains(refused, 1, /does not answer \(is it running\?\)/);
      assert(refused.stderr.includes(url));
      assert.doesNotMatch(refused.stderr, /hunter2secret/);
      assert.equal(refused.stderrLines.length, 1, refused.stderr);
    });
  });

  await t.step("a URL that is none is exit code 1 or 2, and says so", async () => {
    for (const url of ["gateway", "ws://h", "http://"]) {
      const refused = await cli("executor", "list", "--workspace", "w", "--url", url);
      assert([1, 2].includes(refused.code), `${refused.code}`);
      assertComplains(refused, refused.code, /--url/);
    }
  });
});

/** What a command that succeeded has said; it must not have complained. */
function done({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr);
  // That an executor is not connected now is of no importance here.
  const complaints = stderr.split("\n").filter((line) => !/^token mint: warning: /.test(line));
  assert.deepEqual(complaints, [""]);
  return stdout;
}

function assertComplains(refused: Finished, code: number, complaint: RegExp): void {
  assert.equal(refused.code, code, refused.stderr);
  assert.match(refused.stderr, complaint);
  assert.equal(refused.stdout, "");
  assert.doesNotMatch(refused.stderr, /^ +at /m, "a stack trace");
}

async function capTokenSecret(dataDir: string): Promise<Uint8Array<ArrayBuffer>> {
  const { captoken_hmac_secret } = JSON.parse(await Deno.readTextFile(`${dataDir}/secrets.json`));
  return new TextEncoder().encode(captoken_hmac_secret);
}

/** Does the work for each item, two at a time. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}
