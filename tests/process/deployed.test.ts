/**
 * The examples of how it is run: systemd's unit, and the page's for Kubernetes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Gateway, TempDir } from "../support/process.ts";

const ROOT = new URL("../../", import.meta.url);

const UNIT = await Deno.readTextFile(new URL("deploy/codex-exec-gateway.service", ROOT));

Deno.test("the unit restarts for ever, wants the network, and has the task's own process stopped", () => {
  const expected: [string, string, string][] = [
    ["Unit", "Wants", "network-online.target"],
    ["Unit", "After", "network-online.target"],
    ["Unit", "StartLimitIntervalSec", "0"],
    ["Service", "Restart", "always"],
    ["Service", "ExecStart", "/usr/local/bin/deno task -q start"],
    ["Service", "KillMode", "mixed"],
  ];
  for (const [section, key, value] of expected) {
    assert.deepEqual(settings(section, key), [value], `${section} ${key}`);
  }
});

Deno.test({
  name: "systemd finds nothing wrong with the unit",
  ignore: !await runs("systemd-analyze", "--version"),
  async fn() {
    await using dir = await TempDir.empty();
    const file = `${dir.path}/codex-exec-gateway@.service`;
    // It looks for what is started.
    await Deno.writeTextFile(file, UNIT.replace("/usr/local/bin/deno", Deno.execPath()));
    const { code, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", file],
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(code, 0);
  },
});

Deno.test({
  name: "the unit is started when its gateway listens, and waits for none that has ended",
  ignore: !await runs("ss", "-V") || !await runs("pgrep", "-V"),
  async fn() {
    await using dir = await TempDir.withDatabase();
    await using gateway = await Gateway.start(dir.path);
    assert.equal((await wait(gateway.pid).status).code, 0);

    const other = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
    const waiting = wait(other.pid);
    await other.stdin.close();
    await other.status;
    assert.equal((await waiting.status).code, 1, "not 124, which is the end of its patience");
  },
});

Deno.test("every example for Kubernetes sets CXG_HOST: on loopback no probe would reach it", async () => {
  const page = await Deno.readTextFile(new URL("docs/operate.md", ROOT));
  const examples = page.match(/^```yaml\n[^]*?^```/gm) ?? [];
  assert(examples.length > 0);
  for (const example of examples) assert.match(example, /name: CXG_HOST, value: 0\.0\.0\.0/);
});

/** What a section of the unit sets a key to, each time. */
function settings(section: string, key: string): string[] {
  const [, lines = ""] = UNIT.split(`\n[${section}]\n`);
  return lines.split("\n[")[0]!.split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

/** Waits as the unit does. */
function wait(pid: number): Deno.ChildProcess {
  const [line] = settings("Service", "ExecStartPost");
  const [, program, seconds, shell, script] = /^(\S+) (\d+) (\S+) -c '(.*)'$/.exec(line!)!;
  return new Deno.Command(program!, {
    args: [seconds!, shell!, "-c", script!],
    env: { MAINPID: String(pid) },
    stdin: "null",
  }).spawn();
}

async function runs(program: string, option: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: [option] }).output()).success;
  } catch {
    return false;
  }
}
