// @ts-check
/**
 * `join`: for a codex that sends its token to its own machine only, or that cannot speak TLS, this
 * machine's loopback stands for a gateway elsewhere. It has no secret of its own and keeps none.
 *
 * @module
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { probe } from "./call.mjs";
import { Unreachable } from "./failure.mjs";
import { gatewayAt, JoinError } from "./gateway.mjs";
import { Reachability } from "./reachability.mjs";
import { startJoin } from "./server.mjs";

/** Where it listens when nothing else is said. */
export const DEFAULT_JOIN_PORT = 6070;

/** How often a gateway that was not there yet is tried, in milliseconds. */
const RETRY_MS = 1_000;

const USAGE = `usage: PROGRAM --gateway URL [--ca FILE] [--port N]

Listens on this machine's loopback, and passes everything on to the gateway: for an executor on
another machine than the gateway's. Once the gateway is reached, it prints the URL that codex is to be
given as --remote.

  --gateway URL        the gateway's http:// or https:// URL
  --ca FILE            the authorities that may have signed its certificate, PEM, in place of the
                       public ones
  --port N             where to listen on 127.0.0.1 (by default ${DEFAULT_JOIN_PORT}; 0: any)
  --help               this text`;

/**
 * Runs until SIGTERM or SIGINT.
 *
 * @param {string[]} args the words after `join`
 * @param {string} program how a person calls it
 * @returns {Promise<number>} the exit code: 0 stopped, 1 it failed, 2 wrong usage
 */
export async function runJoin(args, program) {
  let options;
  try {
    options = parse(args);
  } catch (error) {
    say(`${error instanceof Error ? error.message : error}\nSee: ${program} --help`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(`${USAGE.replace("PROGRAM", program)}\n`);
    return 0;
  }
  // Whoever read what it says may have gone.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const stopping = stopSignal();
  try {
    const gateway = gatewayAt(options.gateway, options.ca);
    const join = await startJoin(gateway, { port: options.port, say });
    try {
      if (!gateway.secure && !isLoopback(gateway.host)) {
        say(`warning: ${gateway.url} has no TLS: tokens and output pass in the clear`);
      }
      if (await isReached(gateway, stopping)) {
        say(`passes on to ${gateway.url}; here it is`);
        process.stdout.write(`http://127.0.0.1:${join.port}\n`);
        await stopped(stopping);
      }
    } finally {
      await join.stop();
    }
    return 0;
  } catch (error) {
    if (!(error instanceof JoinError || error instanceof Unreachable)) throw error;
    say(error.message);
    return 1;
  }
}

/** @param {string[]} args */
function parse(args) {
  const { values } = parseArgs({
    args,
    options: {
      gateway: { type: "string" },
      ca: { type: "string" },
      port: { type: "string", default: String(DEFAULT_JOIN_PORT) },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const { gateway = "", ca, help } = values;
  if (gateway === "" && !help) throw new Error("--gateway is required");
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65535) {
    throw new Error("--port must be a number from 0 to 65535");
  }
  return { gateway, ca, help, port };
}

/**
 * Waits until the gateway is there. What only a person can mend is not waited for.
 *
 * @param {import("./gateway.mjs").Gateway} gateway
 * @param {AbortSignal} stopping
 * @returns {Promise<boolean>} whether it is, before the stop
 * @throws {Unreachable}
 */
async function isReached(gateway, stopping) {
  const reachability = new Reachability(gateway.url, say);
  while (!stopping.aborted) {
    try {
      await probe(gateway, stopping);
      return true;
    } catch (error) {
      if (stopping.aborted) return false;
      if (!(error instanceof Unreachable) || error.lasts) throw error;
      reachability.failed(error.message);
      await sleep(RETRY_MS, undefined, { signal: stopping }).catch(() => {});
    }
  }
  return false;
}

/** Aborts at the first SIGTERM, SIGINT or SIGHUP. */
function stopSignal() {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => stop.abort());
  return stop.signal;
}

/** @param {AbortSignal} signal */
function stopped(signal) {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined));
    if (signal.aborted) resolve(undefined);
  });
}

/** @param {string} host */
function isLoopback(host) {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`join: ${line}\n`);
}
