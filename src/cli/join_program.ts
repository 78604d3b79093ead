/**
 * The files of `join` as texts, for a machine that has only Node.
 *
 * @module
 */
import call from "../join/call.js" with { type: "text" };
import codexCall from "../join/codex_call.js" with { type: "text" };
import failure from "../join/failure.js" with { type: "text" };
import gateway from "../join/gateway.js" with { type: "text" };
import main from "../join/main.js" with { type: "text" };
import pipe from "../join/pipe.js" with { type: "text" };
import reachability from "../join/reachability.js" with { type: "text" };
import server from "../join/server.js" with { type: "text" };

/** The files by their names; `run.js` is the one to run, with the words that follow `join`. */
export const JOIN_PROGRAM: Readonly<Record<string, string>> = {
  "package.json": '{ "type": "module" }\n',
  "run.js": 'import process from "node:process";\nimport { runJoin } from "./main.js";\n' +
    'process.exit(await runJoin(process.argv.slice(2), "node run.js"));\n',
  "call.js": call,
  "codex_call.js": codexCall,
  "failure.js": failure,
  "gateway.js": gateway,
  "main.js": main,
  "pipe.js": pipe,
  "reachability.js": reachability,
  "server.js": server,
};
