import assert from "node:assert/strict";
import { ConfigError, loadConfigFromEnv } from "../src/config.ts";
import { unknownVariables, VARIABLES } from "../src/env/unknown_variables.ts";
import { TestCertificates } from "./support/certificates.ts";

const SECRETS = {
  CXG_CAPTOKEN_HMAC_SECRET: "a captoken secret of some length",
  CXG_AGENTSERVER_INTERNAL_SECRET: "agentserver-secret-of-some-length",
};

/** A secret as `openssl rand -hex 32` makes one. */
const OWN = "0123456789abcdef".repeat(4);

/** Loads with the secrets set, so that no data directory is touched, and with these variables. */
function load(variables: Record<string, string> = {}) {
  return loadOnly({ ...SECRETS, ...variables });
}

function loadOnly(variables: Record<string, string>) {
  return loadConfigFromEnv((name) => variables[name]);
}

/** The problems that loading ends with. */
function problemsOf(variables: Record<string, string>): readonly string[] {
  try {
    loadOnly(variables);
  } catch (error) {
    assert(error instanceof ConfigError, `threw ${error}`);
    assert.equal(error.message, error.problems.join("\n"));
    return error.problems;
  }
  assert.fail("the configuration was accepted");
}

/** The names of the variables that the problems begin with. */
function blamed(variables: Record<string, string>): string[] {
  return problemsOf(variables).map((problem) => problem.split(" ")[0]!).sort();
}

Deno.test("with nothing set but the secrets, the documented defaults hold", () => {
  assert.deepEqual(load(), {
    port: 6060,
    host: "127.0.0.1",
    sharePort: false,
    internal: undefined,
    tls: undefined,
    databaseUrl: undefined,
    dataDir: "./data",
    capTokenHmacSecret: new TextEncoder().encode("a captoken secret of some length"),
    capTokenHmacSecretPrevious: undefined,
    agentserverInternalSecret: "agentserver-secret-of-some-length",
    internalSharedSecret: "agentserver-secret-of-some-length",
    metricsSecret: undefined,
    publicWsBaseUrl: undefined,
    maxStreams: 128,
    maxBufferedBytes: 16 * 1024 * 1024,
    maxTotalBufferedBytes: undefined,
    maxFrameBytes: 64 * 1024 * 1024 - 2,
    maxConnectionsPerAddress: 16_384,
    trustedProxies: [],
    pingIntervalS: 15,
    workspaceTokens: false,
    maxTokenTtlS: 7 * 86_400,
    logLevel: "info",
  });
});

Deno.test("each variable sets its field", () => {
  const config = load({
    CXG_PORT: "8080",
    CXG_HOST: "0.0.0.0",
    CXG_SHARE_PORT: "1",
    CXG_INTERNAL_PORT: "8081",
    CXG_INTERNAL_HOST: "10.0.0.1",
    CXG_DATABASE_URL: "postgres://user:password@db.example:5432/cxg?sslmode=require",
    CXG_DATA_DIR: "/var/lib/cxg",
    CXG_CAPTOKEN_HMAC_SECRET: "a sécret that is long enough for it",
    CXG_CAPTOKEN_HMAC_SECRET_PREVIOUS: "0".repeat(32),
    CXG_AGENTSERVER_INTERNAL_SECRET: "1".repeat(32),
    CXG_INTERNAL_SHARED_SECRET: "2".repeat(32),
    CXG_METRICS_SECRET: "3".repeat(32),
    CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example:443",
    CXG_MAX_STREAMS: "7",
    CXG_MAX_BUFFERED: "8",
    CXG_MAX_TOTAL_BUFFERED: "12",
    CXG_MAX_FRAME: "9",
    CXG_WORKSPACE_TOKENS: "1",
    CXG_MAX_TOKEN_TTL: "1h30m",
    CXG_MAX_CONNECTIONS_PER_ADDRESS: "11",
    CXG_TRUSTED_PROXIES: "127.0.0.1, 10.0.0.0/8,::1",
    CXG_PING_INTERVAL: "10",
    CXG_LOG_LEVEL: "debug",
  });
  assert.deepEqual(config, {
    port: 8080,
    host: "0.0.0.0",
    sharePort: true,
    internal: { host: "10.0.0.1", port: 8081 },
    tls: undefined,
    databaseUrl: "postgres://user:password@db.example:5432/cxg?sslmode=require",
    dataDir: "/var/lib/cxg",
    capTokenHmacSecret: new TextEncoder().encode("a sécret that is long enough for it"),
    capTokenHmacSecretPrevious: new TextEncoder().encode("0".repeat(32)),
    agentserverInternalSecret: "1".repeat(32),
    internalSharedSecret: "2".repeat(32),
    metricsSecret: "3".repeat(32),
    publicWsBaseUrl: "wss://gateway.example:443",
    maxStreams: 7,
    maxBufferedBytes: 8,
    maxTotalBufferedBytes: 12,
    maxFrameBytes: 9,
    maxConnectionsPerAddress: 11,
    trustedProxies: ["127.0.0.1", "10.0.0.0/8", "::1"],
    pingIntervalS: 10,
    workspaceTokens: true,
    maxTokenTtlS: 5400,
    logLevel: "debug",
  });
});

Deno.test("a frame larger than the runtime reads cannot be asked for", () => {
  const max = 64 * 1024 * 1024 - 2;
  assert.equal(load({ CXG_MAX_FRAME: String(max) }).maxFrameBytes, max);
  assert.deepEqual(blamed({ ...SECRETS, CXG_MAX_FRAME: String(max + 1) }), ["CXG_MAX_FRAME"]);
});

Deno.test("the longest life of a token is a duration", () => {
  for (const [text, seconds] of [["1m", 60], ["12h", 43_200], ["366d", 366 * 86_400]] as const) {
    assert.equal(load({ CXG_MAX_TOKEN_TTL: text }).maxTokenTtlS, seconds);
  }
  for (const bad of ["0", "7", "59s", "367d", "-1h", "1.5h", "1w", "h", "1h 30m"]) {
    assert.deepEqual(blamed({ ...SECRETS, CXG_MAX_TOKEN_TTL: bad }), ["CXG_MAX_TOKEN_TTL"], bad);
  }
});

Deno.test("a limit is a whole number of at least 1", () => {
  for (
    const name of [
      "CXG_MAX_STREAMS",
      "CXG_MAX_BUFFERED",
      "CXG_MAX_TOTAL_BUFFERED",
      "CXG_MAX_FRAME",
      "CXG_MAX_CONNECTIONS_PER_ADDRESS",
      "CXG_PING_INTERVAL",
    ]
  ) {
    for (const bad of ["0", "-1", "1.5", "many", "1e3", "99999999999999999", " 5"]) {
      assert.deepEqual(blamed({ ...SECRETS, [name]: bad }), [name], bad);
    }
  }
});

Deno.test("a variable set to nothing counts as unset", () => {
  const names = [
    "CXG_PORT",
    "CXG_HOST",
    "CXG_DATABASE_URL",
    "CXG_DATA_DIR",
    "CXG_INTERNAL_SHARED_SECRET",
    "CXG_PUBLIC_WS_BASE_URL",
    "CXG_TRUSTED_PROXIES",
    "CXG_LOG_LEVEL",
  ];
  assert.deepEqual(load(Object.fromEntries(names.map((name) => [name, ""]))), load());
});

Deno.test("two secrets that are the same are refused, by the names of both", () => {
  const names = [
    "CXG_CAPTOKEN_HMAC_SECRET",
    "CXG_AGENTSERVER_INTERNAL_SECRET",
    "CXG_INTERNAL_SHARED_SECRET",
    "CXG_METRICS_SECRET",
  ];
  for (const [i, one] of names.entries()) {
    for (const other of names.slice(0, i)) {
      const problems = problemsOf({ ...SECRETS, [one]: OWN, [other]: OWN });
      assert.equal(problems.length, 1, `${one} and ${other}`);
      assert(problems[0]!.includes(one) && problems[0]!.includes(other), problems.join());
      assert(!problems[0]!.includes(OWN));
    }
  }
  const all = problemsOf(Object.fromEntries(names.map((name) => [name, OWN])));
  assert.equal(all.length, 3);
});

Deno.test("without a secret of its own, the gateway's API shares the other one, generated or not", async () => {
  assert.equal(load().internalSharedSecret, "agentserver-secret-of-some-length");
  assert.equal(load({ CXG_INTERNAL_SHARED_SECRET: OWN }).internalSharedSecret, OWN);
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-test-" });
  try {
    const generated = loadOnly({ CXG_DATA_DIR: dataDir });
    assert.equal(generated.internalSharedSecret, generated.agentserverInternalSecret);
    assert.notEqual(generated.internalSharedSecret, "");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("secrets that are not given come from the data directory, and one that is goes first", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-test-" });
  try {
    const first = loadOnly({ CXG_DATA_DIR: dataDir });
    assert.deepEqual(loadOnly({ CXG_DATA_DIR: dataDir }), first, "the same at the second start");
    const second = loadOnly({ CXG_DATA_DIR: dataDir, CXG_CAPTOKEN_HMAC_SECRET: OWN });
    assert.deepEqual(second.capTokenHmacSecret, new TextEncoder().encode(OWN));
    assert.equal(second.agentserverInternalSecret, first.agentserverInternalSecret);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("with both secrets given the data directory is not touched", () => {
  // Below a file no directory can be.
  load({ CXG_DATA_DIR: `${new URL(import.meta.url).pathname}/below` });
});

Deno.test("a database server needs both secrets given", () => {
  const CXG_DATABASE_URL = "postgres://db.example/cxg";
  assert.deepEqual(blamed({ CXG_DATABASE_URL }), [
    "CXG_AGENTSERVER_INTERNAL_SECRET",
    "CXG_CAPTOKEN_HMAC_SECRET",
  ]);
  for (const name of Object.keys(SECRETS) as (keyof typeof SECRETS)[]) {
    assert.deepEqual(blamed({ ...SECRETS, CXG_DATABASE_URL, [name]: "" }), [name]);
  }
  for (const problem of problemsOf({ CXG_DATABASE_URL })) {
    assert.match(problem, /required when CXG_DATABASE_URL is set/);
  }
  // Also a shared secret of its own does not stand in for them.
  assert.equal(blamed({ CXG_DATABASE_URL, CXG_INTERNAL_SHARED_SECRET: OWN }).length, 2);
});

Deno.test("everything that is wrong is reported at once, each variable by its name", () => {
  assert.deepEqual(
    blamed({
      CXG_PORT: "http",
      CXG_HOST: "no host",
      CXG_DATABASE_URL: "mysql://db",
      CXG_PUBLIC_WS_BASE_URL: "https://gateway.example",
      CXG_LOG_LEVEL: "verbose",
    }),
    [
      "CXG_AGENTSERVER_INTERNAL_SECRET",
      "CXG_CAPTOKEN_HMAC_SECRET",
      "CXG_DATABASE_URL",
      "CXG_HOST",
      "CXG_LOG_LEVEL",
      "CXG_PORT",
      "CXG_PUBLIC_WS_BASE_URL",
    ],
  );
});

const ACCEPTED: Record<string, readonly string[]> = {
  CXG_PORT: ["0", "1", "6060", "65535"],
  CXG_HOST: ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "gateway-1.example"],
  CXG_DATABASE_URL: ["postgres://db", "postgresql://u:p@db:5432/name", "postgres:///n?host=/run"],
  CXG_PUBLIC_WS_BASE_URL: ["ws://h", "wss://h:8443", "wss://h/below", "ws://[::1]:6060"],
  CXG_TRUSTED_PROXIES: ["10.1.2.3", "10.0.0.0/8", "fd00::/8, ::1 ,127.0.0.1"],
  CXG_LOG_LEVEL: ["debug", "info", "warn", "error", "INFO", "Warn"],
  CXG_PING_INTERVAL: ["1", "15", "3600", "30s", "2m", "1h"],
  CXG_MAX_BUFFERED: ["1", "4294967296"],
};

const REFUSED: Record<string, readonly string[]> = {
  CXG_PORT: [
    "-1",
    "65536",
    "80.5",
    "0x50",
    "6060 ",
    " ",
    "port",
    "1e3",
    "١",
    "99999999999999999999",
  ],
  CXG_HOST: ["two words", "http://h", "h/path", "[::1]", "h\n", " "],
  CXG_INTERNAL_PORT: ["-1", "65536", "x", "6060"],
  CXG_INTERNAL_HOST: ["two words", "127.0.0.1"],
  CXG_DATABASE_URL: ["db.example", "mysql://db", "https://db", "://", "postgres", " "],
  CXG_PUBLIC_WS_BASE_URL: [
    "gateway.example",
    "http://h",
    "https://h",
    "ws://",
    "ws://user@h",
    "ws://user:password@h",
    "ws://h?query",
    "ws://h#fragment",
    " ",
  ],
  CXG_TRUSTED_PROXIES: ["localhost", "10.0.0.0/33", "127.0.0.1,", "10.0.0.1:80", "::1 10.0.0.1"],
  CXG_PING_INTERVAL: ["3601", "8600000", "2h", "1d", "500ms"],
  CXG_MAX_BUFFERED: ["4294967297"],
  CXG_MAX_STREAMS: ["65537"],
  CXG_CAPTOKEN_HMAC_SECRET: ["x".repeat(31), `${OWN}\n`, ` ${OWN}`],
  CXG_CAPTOKEN_HMAC_SECRET_PREVIOUS: ["x".repeat(31), `${OWN}\n`, SECRETS.CXG_CAPTOKEN_HMAC_SECRET],
  CXG_AGENTSERVER_INTERNAL_SECRET: ["x".repeat(31), `${OWN}\n`, `${OWN} ${OWN}`, `é${OWN}`],
  CXG_INTERNAL_SHARED_SECRET: ["x".repeat(31), `${OWN}\t`, `${OWN}\0${OWN}`],
  CXG_METRICS_SECRET: ["x", `${OWN}é`],
  CXG_LOG_LEVEL: ["warning", "trace", "fatal", " info", "0"],
};

for (const [name, values] of Object.entries(ACCEPTED)) {
  for (const value of values) {
    Deno.test(`${name} may be ${JSON.stringify(value)}`, () => {
      load({ [name]: value });
    });
  }
}

for (const [name, values] of Object.entries(REFUSED)) {
  for (const value of values) {
    Deno.test(`${name} must not be ${JSON.stringify(value)}`, () => {
      assert.deepEqual(blamed({ ...SECRETS, [name]: value }), [name]);
    });
  }
}

Deno.test("a variable that is not UTF-8 is named, and not told", () => {
  const env = (name: string) => {
    if (name === "CXG_LOG_LEVEL" || name === "CXG_CAPTOKEN_HMAC_SECRET") {
      throw new Deno.errors.InvalidData(
        'environment variable was not valid unicode: "se\\xffcret"',
      );
    }
    return { ...SECRETS }[name];
  };
  assert.throws(() => loadConfigFromEnv(env), (error) => {
    assert(error instanceof ConfigError);
    assert.deepEqual([...error.problems].sort(), [
      "CXG_CAPTOKEN_HMAC_SECRET is not UTF-8",
      "CXG_LOG_LEVEL is not UTF-8",
    ]);
    return true;
  });
});

Deno.test("what Kubernetes sets for a Service that is named cxg is not taken for a port", () => {
  assert.equal(load({ CXG_PORT: "tcp://10.96.0.7:6060" }).port, 6060);
  assert.equal(load({ CXG_INTERNAL_PORT: "tcp://10.96.0.7:6061" }).internal, undefined);
  assert.equal(load({ CXG_SHARE_PORT: "udp://[fd00::7]:53" }).sharePort, false);
});

Deno.test("a name that is not known is told, with the nearest that is", async () => {
  assert.deepEqual(
    await unknownVariables(["CXG_PROT", "PATH", "CXG_PORT", "CXG_MAX_FRAMES", "CXG_Q"]),
    [
      "CXG_MAX_FRAMES is no variable of the gateway: did you mean CXG_MAX_FRAME?",
      "CXG_PROT is no variable of the gateway: did you mean CXG_PORT?",
      "CXG_Q is no variable of the gateway",
    ],
  );
  const read = new Set<string>();
  loadConfigFromEnv((name) => {
    read.add(name);
    return SECRETS[name as keyof typeof SECRETS];
  });
  assert.deepEqual([...read].sort(), [...VARIABLES].sort(), "what is known is what is read");
});

Deno.test("what Kubernetes sets for a Service whose name begins with cxg is no misspelt name", async () => {
  for (const service of ["CXG", "CXG_WEB"]) {
    const ends = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP"];
    const ofPort = ["PROTO", "PORT", "ADDR"].map((it) => `PORT_8080_TCP_${it}`);
    const names = [...ends, ...ofPort].map((it) => `${service}_${it}`);
    assert.deepEqual(await unknownVariables(names), []);
  }
  assert.equal(
    (await unknownVariables(["CXG_WEB_PORT"])).length,
    1,
    "and without a Service it is one",
  );
});

Deno.test("the internal port is on loopback, and another one than the public", () => {
  assert.deepEqual(load({ CXG_INTERNAL_PORT: "0" }).internal, { host: "127.0.0.1", port: 0 });
  assert.equal(load({ CXG_INTERNAL_PORT: "0", CXG_PORT: "0" }).internal!.port, 0);
  const both = { ...SECRETS, CXG_PORT: "7000", CXG_INTERNAL_PORT: "7000" };
  assert.deepEqual(blamed(both), ["CXG_INTERNAL_PORT"]);
  const shared = { ...SECRETS, CXG_SHARE_PORT: "1", CXG_INTERNAL_PORT: "0" };
  assert.match(problemsOf(shared)[0]!, /CXG_SHARE_PORT needs a CXG_INTERNAL_PORT that is not 0/);
});

Deno.test("a bad value's text is in no message: it may be a secret in the wrong variable", () => {
  const value = "hunter2secret value";
  const names = Object.keys(REFUSED);
  const problems = problemsOf({ ...SECRETS, ...Object.fromEntries(names.map((n) => [n, value])) });
  assert.equal(problems.length, names.length);
  for (const problem of problems) assert.doesNotMatch(problem, /hunter2|secret value/);
});

Deno.test("slashes at the end of the public URL are dropped: paths are put after it", () => {
  for (
    const [given, kept] of [
      ["wss://h/", "wss://h"],
      ["wss://h:443//", "wss://h:443"],
      ["ws://h/below/", "ws://h/below"],
    ] as const
  ) assert.equal(load({ CXG_PUBLIC_WS_BASE_URL: given }).publicWsBaseUrl, kept);
});

for (const url of ["wss://gateway.example?", "wss://gateway.example#", " wss://gateway.example "]) {
  Deno.test(`the public URL ${JSON.stringify(url)} is refused, or a path can be put after it`, () => {
    let base: string | undefined;
    try {
      base = load({ CXG_PUBLIC_WS_BASE_URL: url }).publicWsBaseUrl;
    } catch (error) {
      assert(error instanceof ConfigError);
      return;
    }
    assert.equal(`${base}/codex-exec/exe_1`, "wss://gateway.example/codex-exec/exe_1");
  });
}

Deno.test("without an argument it is the process's environment that is read", () => {
  const before = Deno.env.get("CXG_LOG_LEVEL");
  Deno.env.set("CXG_LOG_LEVEL", "bad level");
  try {
    assert.throws(() => loadConfigFromEnv(), (error) => {
      assert(error instanceof ConfigError);
      assert(error.problems.some((problem) => problem.startsWith("CXG_LOG_LEVEL ")));
      return true;
    });
  } finally {
    if (before === undefined) Deno.env.delete("CXG_LOG_LEVEL");
    else Deno.env.set("CXG_LOG_LEVEL", before);
  }
});

Deno.test("a self-signed certificate, or one of one's own: what does not go together is named", async () => {
  await using certificates = await TestCertificates.create();
  const { variables, files, directory } = certificates;
  assert.equal(load().tls, undefined);
  assert.equal(load({ CXG_TLS: "self-signed" }).tls, "self-signed");
  assert.deepEqual(load(variables).tls, files);
  const problems = (more: Record<string, string>) => problemsOf({ ...SECRETS, ...more });
  assert.deepEqual(problems({ CXG_TLS: "on" }), [
    "CXG_TLS must be self-signed; for a certificate of your own set CXG_TLS_CERT",
  ]);
  assert.deepEqual(problems({ ...variables, CXG_TLS: "self-signed" }), [
    "CXG_TLS goes without CXG_TLS_CERT and CXG_TLS_KEY: one certificate is served",
  ]);
  assert.deepEqual(problems({ ...variables, CXG_TLS_KEY: "" }), [
    "CXG_TLS_KEY is required when CXG_TLS_CERT is set",
  ]);
  assert.deepEqual(problems({ ...variables, CXG_TLS_CERT: "" }), [
    "CXG_TLS_CERT is required when CXG_TLS_KEY is set",
  ]);
  assert.deepEqual(problems({ ...variables, CXG_TLS_KEY: `${directory}/none`, CXG_PORT: "x" }), [
    "CXG_PORT must be a port number from 0 to 65535",
    "CXG_TLS_KEY cannot be read: there is no such file",
  ]);
});

Deno.test("with TLS, a public URL without it is named", () => {
  const tls = { CXG_TLS: "self-signed" };
  assert.deepEqual(blamed({ ...SECRETS, ...tls, CXG_PUBLIC_WS_BASE_URL: "ws://gateway.example" }), [
    "CXG_PUBLIC_WS_BASE_URL",
  ]);
  const { publicWsBaseUrl } = load({ ...tls, CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example" });
  assert.equal(publicWsBaseUrl, "wss://gateway.example");
});
