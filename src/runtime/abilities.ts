import { doWithoutPings, Heartbeat } from "./heartbeat.ts";
import { doWithoutHolding, ReadLoop } from "./read_loop.ts";

/** How long each step may take, in milliseconds. */
const STEP_MS = 2_000;

/** For how long nothing more must come while the loop is stopped, in milliseconds. */
const STILL_MS = 20;

/** What the runtime was found to be able to do. */
export interface Abilities {
  /** To stop reading from a peer, and to go on; see {@linkcode ReadLoop}. */
  readonly holds: boolean;
  /** To send pings when it is asked to, and to tell of every sign of life; see {@linkcode Heartbeat}. */
  readonly pings: boolean;
}

let tested: Promise<Abilities> | undefined;

/**
 * Tries once in a process what the runtime is able to do, and has it do without what it is not.
 *
 * @returns what it was found to be able to do
 */
export function adaptToRuntime(): Promise<Abilities> {
  return tested ??= testRuntime().then((abilities) => {
    if (!abilities.holds) doWithoutHolding();
    if (!abilities.pings) doWithoutPings();
    return abilities;
  });
}

/**
 * Tries on a websocket of its own, over loopback, what the gateway takes from the runtime's insides: that a
 * field has the name that it had is no proof that it does what it did.
 */
async function testRuntime(): Promise<Abilities> {
  const received: unknown[] = [];
  const heard = Promise.withResolvers<void>();
  let loop: ReadLoop | undefined;
  let canStop = false;
  let arePingsOurs = false;
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (req) => {
      const { socket, response } = Deno.upgradeWebSocket(req, { idleTimeout: 30 });
      loop = new ReadLoop(socket);
      canStop = loop.canStop;
      const heartbeat = new Heartbeat(socket, () => received.length === 3 && heard.resolve());
      arePingsOurs = heartbeat.isOurs;
      socket.onmessage = ({ data }) => {
        received.push(data);
        if (received.length === 1) loop!.stop();
        if (received.length === 3) setTimeout(() => heartbeat.ping());
      };
      socket.onclose = () => heartbeat.stop();
      return response;
    },
  );
  const client = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  try {
    await new Promise<void>((resolve, reject) => {
      client.onopen = () => resolve();
      client.onerror = () => reject(new Error("no websocket over loopback"));
    });
    if (!canStop) return { holds: false, pings: false };
    for (const message of ["1", "2", "3"]) client.send(message);
    await until(() => received.length > 0);
    await new Promise((resolve) => setTimeout(resolve, STILL_MS));
    const held = received.length === 1;
    loop!.start();
    const holds = held && await until(() => received.length === 3);
    if (!holds || !arePingsOurs) return { holds, pings: false };
    let isAlive = false;
    heard.promise.then(() => isAlive = true);
    return { holds, pings: await until(() => isAlive) };
  } finally {
    client.close();
  }
}

/** Waits for a condition; returns whether it came to hold in time. */
async function until(condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + STEP_MS;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return true;
}
