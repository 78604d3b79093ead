/**
 * The README's walk, between two machines: its commands are cut out of it and run as they stand.
 *
 * Instead of what a test's machines lack:
 *
 * - a name server: both machines know `gateway.example` from their hosts file;
 * - the registry: npm's cache is filled before, by npm, and npm is told that it is offline; of what Deno
 *   fetches from there, it has what the tests run with;
 * - a way for files: the machines share a disk;
 * - a model: the settings that the scripted one prints are added, as the README says.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CACHE } from "../support/files.ts";
import { type Host, hostsTest } from "../support/hosts/hosts.ts";
import { settled, until } from "../support/websocket.ts";
import { type CapturedProcess, spawnCaptured } from "./support/codex.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const NPM_CACHE = `${CACHE}npm`;

/** Where the harness runs: it must be there on the executor's machine too. */
const HARNESS_DIRECTORY = "/tmp";

/** Where npm fetches from: under that name its cache has a package. */
const REGISTRY = await outputOf("npm", ["config", "get", "registry"]);

/** Where the Deno that runs the tests keeps what it has fetched. */
const DENO_DIR = await findDenoDir();

/** How long a command of the walk may take on a machine that is busy, in milliseconds. */
const TIMEOUT_MS = 120_000;

hostsTest("the README's walk, word for word, between two machines with npm", {
  gateway: "apart",
}, async (hosts) => {
  const commands = await commandsOfTheWalk();
  await fetchPackages(commands.join("\n"));
  await using stack = new AsyncDisposableStack();
  const gateway = stack.use(await Machine.make(hosts.gateway));
  const laptop = stack.use(await Machine.make(hosts.executor));
  for (const { host } of [gateway, laptop]) {
    await host.run(`echo ${hosts.gateway.address} gateway.example >> /etc/hosts`);
  }
  const clone = await gateway.clone();

  const [start, add, join, list, mint, turn, model, ...more] = commands;
  assert.deepEqual(more, [], "what the test does not know of");

  const serving = stack.use(gateway.run(start!, clone));
  await serving.waitForOutput(/"message":"listening".*"url":"https:/, TIMEOUT_MS);

  const added = await gateway.ends(add!, clone);
  const [exeId] = /exe_[\w-]+/.exec(added)!;
  const [, joinFile] = /--join-file (\S+)/.exec(add!)!;
  await laptop.ends(`cp -p ${clone}/${joinFile} .`, laptop.home);
  const joined = stack.use(laptop.run(join!, laptop.home));
  await until("the executor is connected", async () => {
    assert.ok(!await settled(joined.exited, 0), joined.output());
    return cell(await gateway.ends(list!, clone), exeId, "CONNECTED") === "yes";
  }, TIMEOUT_MS).catch((error) => {
    throw new Error(`${error}\n${joined.output()}\n${serving.output()}`);
  });

  const minted = await gateway.ends(mint!.replace("<exe_id>", exeId), clone);
  const [, token] = /^token +(\S+)$/m.exec(minted)!;
  // The README's command has what was printed for this release.
  const filled = turn!.replace("<exe_id>", exeId).replace("<capability token>", token!);
  const printed = /^ *(SSL_CERT_FILE=\S+ CODEX_EXEC_SERVER_NOISE_REGISTRY_URL=.*)$/m.exec(minted);
  const settings = filled.replaceAll(/ *\\\n */g, " ");
  assert.ok(settings.includes(printed![1]!.trim()), `${settings}\nis not\n${minted}`);
  const [makeFile] = /^\{ cat [^]*?^END$/m.exec(minted)!;
  await gateway.ends(makeFile, "/");

  const scripted = stack.use(gateway.run(model!, clone));
  await scripted.waitForOutput(/^ +-c .*$/m, TIMEOUT_MS);
  const [itsSettings] = /-c .*$/m.exec(scripted.stdout())!;
  const said = await gateway.ends(`${filled} ${itsSettings}`, HARNESS_DIRECTORY);
  const answer = `It printed:\n.*Linux ${hosts.executor.name} .*\n${HARNESS_DIRECTORY}\n`;
  assert.match(said, new RegExp(answer));
});

/** What a printed table has in a column, in the row that begins with a word; "" without one. */
function cell(table: string, row: string, column: string): string {
  const [head, ...rows] = table.split("\n");
  const at = head!.indexOf(column);
  const line = rows.find((line) => line.startsWith(`${row} `)) ?? "";
  return line.slice(at).split("  ")[0]!.trim();
}

/** The commands of the README's walk, in their order. */
async function commandsOfTheWalk(): Promise<string[]> {
  const readme = await Deno.readTextFile(`${ROOT}README.md`);
  const [, walk] = /^## Five minutes.*\n([^]*?)^## /m.exec(readme)!;
  return [...walk!.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, command]) => command!.trimEnd());
}

/** Has npm fetch what a text runs by npx, so that its cache has it. */
async function fetchPackages(text: string): Promise<void> {
  const packages = new Set(text.match(/(?<=npx -y )\S+@\S+/g));
  assert.ok(packages.size >= 2, [...packages].join());
  for (const name of packages) {
    const { success, stderr } = await new Deno.Command("npx", {
      args: ["-y", name, "--version"],
      // In both spellings: the npx that runs the tests has set the one in small letters.
      env: { NPM_CONFIG_CACHE: NPM_CACHE, npm_config_cache: NPM_CACHE },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}

/** A person's machine: a home directory, npm, and nothing else that is not the system's. */
class Machine implements AsyncDisposable {
  private constructor(readonly host: Host, readonly home: string) {}

  static async make(host: Host): Promise<Machine> {
    const machine = new Machine(host, await Deno.makeTempDir({ prefix: "cxg-home-" }));
    await Deno.mkdir(`${machine.home}/bin`);
    for (const program of ["node", "npm", "npx"]) {
      await machine.offer(program, `exec "${await pathOf(program)}" "$@"`);
    }
    return machine;
  }

  /** A clone of the repository, in the home directory; returns where. */
  async clone(): Promise<string> {
    const clone = `${this.home}/codex-exec-gateway`;
    await this.host.run(
      `mkdir ${clone} && cd ${ROOT} && cp -r deno.json deno.lock main.ts src migrations ${clone} &&
       mkdir -p ${clone}/tests/e2e && cp -r tests/e2e/support ${clone}/tests/e2e/`,
    );
    return clone;
  }

  /** Puts a program on the path. */
  async offer(name: string, script: string): Promise<void> {
    await Deno.writeTextFile(`${this.home}/bin/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** Starts a command in a terminal. */
  run(command: string, directory: string): CapturedProcess {
    return spawnCaptured("sh", {
      args: ["-c", command],
      cwd: directory,
      host: this.host,
      env: {
        PATH: `${this.home}/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
        HOME: this.home,
        NO_COLOR: "1",
        DENO_DIR,
        NPM_CONFIG_CACHE: NPM_CACHE,
        NPM_CONFIG_REGISTRY: REGISTRY,
        NPM_CONFIG_OFFLINE: "true",
        // It would ask the registry all the same, and wait.
        NPM_CONFIG_UPDATE_NOTIFIER: "false",
      },
    });
  }

  /** Runs a command that ends; returns what it printed. */
  async ends(command: string, directory: string): Promise<string> {
    await using running = this.run(command, directory);
    if (!await settled(running.exited, TIMEOUT_MS)) throw new Error(`it does not end: ${command}`);
    const { code } = await running.exited;
    assert.equal(code, 0, `${command}\n${running.output()}`);
    return running.stdout();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.home, { recursive: true });
  }
}

/** Where a program of npm's is. */
async function pathOf(program: string): Promise<string> {
  return await Deno.realPath(await outputOf("sh", ["-c", `command -v ${program}`]));
}

async function findDenoDir(): Promise<string> {
  return JSON.parse(await outputOf(Deno.execPath(), ["info", "--json"])).denoDir;
}

/** What a program prints. */
async function outputOf(program: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout).trim();
}
