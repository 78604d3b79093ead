// @ts-check
/**
 * What is particular about codex's calls: a register call that fails ends its process, and the answers
 * name the websocket to dial.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import { awayText, callGateway, isAway } from "./call.mjs";
import { away, Unreachable } from "./failure.mjs";

/**
 * How long a Noise executor's register call is held while the gateway is away, in milliseconds: codex
 * from 0.160 on gives up after 10 s, and none says which release it is.
 */
const NOISE_HOLD_MS = 9_000;

/**
 * How long any other's is, in milliseconds. Those register again after each disconnection, and wait: no
 * codex from 0.130 to 0.140 had given up after this.
 */
const HOLD_MS = 5 * 60_000;

/** The pauses between two attempts, in milliseconds; the last one goes on. */
const PAUSES_MS = [100, 250, 500, 1_000];

/**
 * @typedef {import("./gateway.mjs").Gateway} Gateway
 * @typedef {import("./call.mjs").Answer} Answer
 * @typedef {Parameters<typeof callGateway>[1]} Call
 */

/** What a call is, by its method and path. @param {string} method @param {string} path */
export function kindOf(method, path) {
  const [, call] = /^\/cloud\/(?:executor|environment)\/[^/]+\/(?:direct\/)?(register|connect)$/
    .exec(path.replace(/\?.*/, "")) ?? [];
  return method === "POST" && call !== undefined ? call : "other";
}

/**
 * Registers, and waits for a gateway that is away.
 *
 * @param {Gateway} gateway
 * @param {Call} call
 * @param {AbortSignal} signal the caller has gone
 * @param {(problem: string) => void} failed told of each attempt that the gateway did not answer
 * @param {{ noiseMs: number, otherMs: number }} [holdMs]
 * @returns {Promise<Answer>}
 * @throws {Unreachable} when the gateway does not come back in time
 */
export async function register(
  gateway,
  call,
  signal,
  failed,
  { noiseMs, otherMs } = { noiseMs: NOISE_HOLD_MS, otherMs: HOLD_MS },
) {
  const deadline = performance.now() + (isNoise(call.body) ? noiseMs : otherMs);
  for (let attempt = 0;; attempt++) {
    let problem;
    try {
      const answer = await callGateway(gateway, call, signal);
      if (!isAway(answer.status)) return answer;
      problem = away(awayText(gateway, answer.status));
      if (isOver(deadline)) return answer;
    } catch (error) {
      if (!(error instanceof Unreachable) || error.lasts || signal.aborted) throw error;
      problem = error;
    }
    failed(problem.message);
    const pause = Math.min(
      /** @type {number} */ (PAUSES_MS[Math.min(attempt, PAUSES_MS.length - 1)]),
      deadline - performance.now(),
    );
    if (pause <= 0) throw problem;
    await sleep(pause, undefined, { signal });
  }
}

/**
 * An answer that names a websocket names it here. The gateway makes that URL from how it is called or
 * configured, neither of which is this machine's loopback.
 *
 * @param {Answer} answer
 * @param {string} host the Host header of the caller
 * @returns {Answer}
 */
export function withLoopbackUrl(answer, host) {
  if (answer.status !== 200) return answer;
  let content;
  try {
    content = JSON.parse(answer.body.toString());
  } catch {
    return answer;
  }
  if (typeof content?.url !== "string" || !URL.canParse(content.url)) return answer;
  const { pathname, search } = new URL(content.url);
  const path = /\/(?:codex-exec|bridge)\/.*$/.exec(pathname)?.[0] ?? pathname;
  content.url = `ws://${host}${path}${search}`;
  return { ...answer, body: Buffer.from(JSON.stringify(content)) };
}

/** @param {number} deadline */
function isOver(deadline) {
  return performance.now() >= deadline;
}

/** @param {Buffer} body of a register call */
function isNoise(body) {
  try {
    return "security_profile" in JSON.parse(body.toString());
  } catch {
    return false;
  }
}
