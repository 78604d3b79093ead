/**
 * The worker that bcrypt runs in: a check takes some 60 ms of CPU, which no frame should wait for.
 * The one file to change to go back to `@felix/bcrypt`.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { bcrypt, bcryptVerify } from "hash-wasm";

/** The cost of new hashes; the original's, Go's `bcrypt.DefaultCost`. */
const COST = 10;

/** What the gateway asks of the worker. */
export type BcryptRequest =
  | { id: number; op: "hash"; token: string }
  | { id: number; op: "verify"; token: string; hash: string };

/** What comes back, under the request's id. */
export type BcryptResponse =
  | { id: number; result: string | boolean }
  | { id: number; error: string };

async function run(request: BcryptRequest): Promise<string | boolean> {
  const { token } = request;
  if (request.op === "verify") {
    return await bcryptVerify({ password: token, hash: request.hash });
  }
  const salt = crypto.getRandomValues(new Uint8Array(16));
  return await bcrypt({ password: token, salt, costFactor: COST, outputType: "encoded" });
}

// One at a time: the next request is sent when this one is answered.
self.onmessage = async ({ data }: MessageEvent<BcryptRequest>) => {
  let response: BcryptResponse;
  try {
    response = { id: data.id, result: await run(data) };
  } catch (error) {
    response = { id: data.id, error: error instanceof Error ? error.message : "bcrypt failed" };
  }
  self.postMessage(response);
};
