/**
 * The files of `join` as texts, for a machine that has only Node.
 *
 * @module
 */
import call from "../join/call.mjs" with { type: "text" };
import codexCall from "../join/codex_call.mjs" with { type: "text" };
import failure from "../join/failure.mjs" with { type: "text" };
import gateway from "../join/gateway.mjs" with { type: "text" };
import index from "../join/index.js" with { type: "text" };
import main from "../join/main.mjs" with { type: "text" };
import pipe from "../join/pipe.mjs" with { type: "text" };
import reachability from "../join/reachability.mjs" with { type: "text" };
import server from "../join/server.mjs" with { type: "text" };

/** The files by their names; Node runs `index.js`, with the words that follow `join`. */
export const JOIN_PROGRAM: Readonly<Record<string, string>> = {
  "index.js": index,
  "call.mjs": call,
  "codex_call.mjs": codexCall,
  "failure.mjs": failure,
  "gateway.mjs": gateway,
  "main.mjs": main,
  "pipe.mjs": pipe,
  "reachability.mjs": reachability,
  "server.mjs": server,
};
