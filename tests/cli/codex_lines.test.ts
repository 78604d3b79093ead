import assert from "node:assert/strict";
import { executorLines, harnessLines } from "../../src/cli/codex_lines.ts";
import { clearTextWarning, directStarts, executorStarts } from "../../src/cli/executor_start.ts";
import { lineFor } from "../e2e/support/release.ts";
import { RELEASES } from "../e2e/support/releases.ts";

const TOKEN = "t0k3n";
const JOIN = "node src/join --gateway";

const bearer = `CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN=${TOKEN} codex exec-server --remote`;
const apiKey = `CODEX_API_KEY=${TOKEN} codex exec-server --remote`;

/** What each URL's releases are started by; `@` is the gateway's URL. */
const CASES: readonly { urls: string[]; lines: Record<string, string> }[] = [
  {
    urls: ["http://127.0.0.1:6060", "http://localhost:6060", "http://[::1]:6060"],
    lines: {
      "0.130.0 0.131.0": `${bearer} @ --executor-id exe_1`,
      "0.137.0 0.140.0 0.142.5 0.150.1 0.160.1 0.169.0 0.171.0":
        `${apiKey} @ --environment-id exe_1`,
    },
  },
  {
    // 0.130 ends with a panic when it dials wss://.
    urls: ["https://127.0.0.1:6060", "https://localhost"],
    lines: {
      "0.130.0": `${JOIN} @ --port 0 | (read -r url && ${bearer} "$url" --executor-id exe_1)`,
      "0.131.0": `${bearer} @ --executor-id exe_1`,
      "0.137.0 0.140.0 0.142.5 0.150.1 0.160.1 0.169.0 0.171.0":
        `${apiKey} @ --environment-id exe_1`,
    },
  },
  {
    urls: ["https://gateway.example", "https://192.0.2.1:6060", "https://127.0.0.1.example"],
    lines: {
      "0.130.0": `${JOIN} @ --port 0 | (read -r url && ${bearer} "$url" --executor-id exe_1)`,
      "0.131.0": `${bearer} @ --executor-id exe_1`,
      "0.137.0 0.140.0 0.142.5 0.150.1 0.160.1":
        `${JOIN} @ --port 0 | (read -r url && ${apiKey} "$url" --environment-id exe_1)`,
      "0.169.0 0.171.0": `printf '%s\\n' ${TOKEN} | codex exec-server --remote @ ` +
        "--environment-id exe_1 --registration-bearer-stdin",
    },
  },
  {
    urls: ["http://gateway.example:6060", "http://192.0.2.1:6060"],
    lines: {
      "0.130.0 0.131.0": `${bearer} @ --executor-id exe_1`,
      "0.137.0 0.140.0 0.142.5 0.150.1 0.160.1 0.169.0 0.171.0":
        `${JOIN} @ --port 0 | (read -r url && ${apiKey} "$url" --environment-id exe_1)`,
    },
  },
];

for (const { urls, lines } of CASES) {
  Deno.test(`an executor's line for each release at ${urls[0]}`, () => {
    for (const url of urls) {
      const printed = executorLines(executorStarts(url, "exe_1", TOKEN), url, false);
      for (const [releases, line] of Object.entries(lines)) {
        for (const release of releases.split(" ")) {
          const shown = url.includes("[") ? `'${url}'` : url;
          assert.equal(
            lineFor(release, printed),
            line.replace(/(?<= )@(?= )/, shown),
            `${release} at ${url}`,
          );
        }
      }
      const named = Object.keys(lines).join(" ").split(" ");
      assert.deepEqual(named, RELEASES, "every release that is tried");
      for (const want of ["0.132.0", "0.133.0"]) {
        assert.throws(() => lineFor(want, printed), "it wants a ChatGPT sign-in");
      }
    }
  });
}

Deno.test("ranges of releases are data, without an end where there is none", () => {
  const url = "https://gateway.example";
  const printed = executorLines(executorStarts(url, "exe_1", TOKEN), url, false);
  assert.deepEqual(
    printed.map(({ releases, from, to }) => ({ releases, from, to })),
    [
      { releases: "codex 0.130", from: "0.130.0", to: "0.130.0" },
      { releases: "codex 0.131", from: "0.131.0", to: "0.131.0" },
      { releases: "codex 0.137 to 0.167", from: "0.137.0", to: "0.167.2" },
      { releases: "codex 0.169 and later", from: "0.169.0", to: undefined },
    ],
  );
  assert.ok(!("to" in JSON.parse(JSON.stringify(printed)).at(-1)), "absent in JSON");
});

Deno.test("where the gateway has a CA of its own, each line says where that is", () => {
  const url = "https://gateway.example";
  const starts = [
    ...executorStarts(url, "exe_1", TOKEN),
    ...directStarts(url, "exe_1", { access_key_id: "a", secret_access_key: "s" }),
  ];
  for (const { line } of executorLines(starts, url, true)) {
    assert.match(
      line,
      /^((.* \| )?SSL_CERT_FILE="\$HOME\/gateway-ca\.pem"|node src\/join .* --ca "\$HOME\/gateway-ca\.pem") /,
    );
  }
  for (const { line } of harnessLines(url, "exe_1", "cap", true)) {
    assert.match(line, /^SSL_CERT_FILE="\$HOME\/gateway-ca\.pem" CODEX_/);
  }
  for (const { line } of harnessLines(url, "exe_1", "cap", false)) assert.match(line, /^CODEX_/);
});

Deno.test("tokens in the clear are warned of, but on loopback", () => {
  assert.match(clearTextWarning("http://gateway.example") ?? "", /pass in the clear/);
  for (const url of ["http://localhost:6060", "http://127.0.0.1", "https://gateway.example"]) {
    assert.equal(clearTextWarning(url), undefined);
  }
});
