import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url);

/** Runs a script in a process of its own that logs, and returns what it wrote on standard error. */
async function logged(script: string): Promise<string> {
  const code = `
    import { configureLogging, log } from ${
    JSON.stringify(new URL("src/log/logging.ts", ROOT).href)
  };
    ${script}
  `;
  const { code: exitCode, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // Quiet: what deno says of its downloads is on standard error too.
    args: ["eval", "--quiet", code],
    cwd: ROOT,
    env: { NO_COLOR: "" },
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.equal(exitCode, 0, text);
  assert.equal(stdout.length, 0, "standard output is for people");
  return text;
}

function parseLines(text: string): Record<string, unknown>[] {
  assert(text.endsWith("\n"));
  return text.slice(0, -1).split("\n").map((line) => JSON.parse(line));
}

Deno.test("each record is one JSON object on a line of its own, its fields beside its message", async () => {
  const [first, second, ...rest] = parseLines(
    await logged(`
    configureLogging("info");
    log.info("executor connected", { exe_id: "exe_1", frames: 3, ok: true, absent: undefined });
    log.warn("two\\nlines", { text: 'a "quoted"\\n{placeholder}\\u2028\\0 text' });
  `),
  );
  assert.equal(rest.length, 0);
  const { "@timestamp": time, level, message, exe_id, frames, ok } = first!;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
  assert.deepEqual(
    { level, message, exe_id, frames, ok },
    { level: "INFO", message: "executor connected", exe_id: "exe_1", frames: 3, ok: true },
  );
  assert(!("absent" in first!) || first.absent === null);
  assert.deepEqual([second!.level, second!.message, second!.text], [
    "WARN",
    "two\nlines",
    'a "quoted"\n{placeholder}\u2028\0 text',
  ]);
});

/** Ends a line, turns directions, speaks to a terminal, is unseen; and letters, which stay. */
const HOSTILE =
  'a\r\n\x1b[2K\x7f\x9b1A\u2028\u2029\u202e\u2066\u200f\u061c\ufeff\u{e0041}\ud800 "é" 東京 😀';
const SHOWN =
  'a\\r\\n\\u001b[2K\\u007f\\u009b1A\\u2028\\u2029\\u202e\\u2066\\u200f\\u061c\\ufeff\\udb40\\udc41\\ud800 \\"é\\" 東京 😀';

for (const terminal of [false, true]) {
  const where = terminal ? "on a terminal" : "in JSON";
  Deno.test(`${where} what others chose is on one line, and turns nothing around`, async () => {
    const text = await logged(`
      configureLogging("info", ${terminal});
      log.info("executor {name}", { name: ${JSON.stringify(HOSTILE)} });
    `);
    assert(text.endsWith("\n"));
    // deno-lint-ignore no-control-regex
    const line = text.slice(0, -1).replaceAll(/\x1b\[\d*m/g, "");
    assert.doesNotMatch(line, /[\p{C}\p{Zl}\p{Zp}]/u);
    assert(line.includes(SHOWN), line);
    if (!terminal) assert.equal(JSON.parse(line).name, HOSTILE);
  });
}

const LEVELS = ["debug", "info", "warn", "error"] as const;
for (const [index, level] of LEVELS.entries()) {
  Deno.test(`at level ${level} that and what is more severe is written`, async () => {
    const lines = parseLines(
      await logged(`
      configureLogging("${level}");
      for (const level of ${JSON.stringify(LEVELS)}) log[level](level);
    `),
    );
    assert.deepEqual(lines.map(({ message }) => message), LEVELS.slice(index));
  });
}

Deno.test("nothing is written before logging is configured", async () => {
  assert.equal(await logged(`log.error("too early");`), "");
});

Deno.test("on a terminal a record is a line of text with its fields after it", async () => {
  const text = await logged(`
    configureLogging("info", true);
    log.info("executor connected", { exe_id: "exe_1", frames: 3, absent: undefined });
    log.debug("unseen");
  `);
  // deno-lint-ignore no-control-regex
  const plain = text.replaceAll(/\x1b\[[0-9;]*m/g, "");
  assert.match(plain, /executor connected exe_id=exe_1 frames=3\n$/);
  assert.equal(plain.split("\n").length, 2);
  assert.doesNotMatch(plain, /absent|unseen|cxg/);
});

Deno.test("who reads the log may go: the process stays", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `
      import { configureLogging, log } from ${
        JSON.stringify(new URL("src/log/logging.ts", ROOT).href)
      };
      await Deno.stdin.read(new Uint8Array(1));
      configureLogging("info");
      for (let i = 0; i < 100; i++) log.info("a line for nobody");
      console.log("still here");
      `,
    ],
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stderr.cancel();
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(1));
  await writer.close();
  assert.equal(await new Response(child.stdout).text(), "still here\n");
  assert.equal((await child.status).code, 0);
});
