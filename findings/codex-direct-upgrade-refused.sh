#!/bin/sh
# codex 0.171.0, `exec-server --remote-transport direct`: what a refused websocket upgrade does to it.
#
# A registry answers the register call well and then refuses the upgrade. One would expect what the same
# binary does as a Noise executor: 401 or 404 has it register afresh, and 409 or 503 is tried again.
# Seen with 0.171.0, as a direct executor:
#
#   401, 403, 404, 421, 426   the process ends with code 1, and prints the status alone: the answer's body,
#                             which would say why, is not shown
#   409                       it registers afresh, and dials the URL of that answer
#   429, 500, 503             it dials the same URL again, after 0.6, 2, 4 s and so on
#
# So what is passing (a clock that is off after a sleep, say) must be 503, or 409, where the register call
# can say why: its body is printed. A dial within the same second has the same signature, too.
#
# Needs: npm. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @openai/codex@0.171.0 >/dev/null
cat > registry.mjs <<'EOF'
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";

const EXPECTED = {
  401: "ends", 403: "ends", 404: "ends", 421: "ends", 426: "ends",
  409: "registers afresh",
  429: "dials again", 500: "dials again", 503: "dials again",
};

/** What codex does after its first upgrade was answered with a status. */
function outcome(status) {
  return new Promise((resolve) => {
    let dials = 0, registers = 0, said = "", settled = false;
    const server = createServer((request, response) => {
      registers++;
      if (registers === 2) return settle("registers afresh");
      request.resume().on("end", () => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({
          environment_id: "env_1",
          registration_id: "reg_1",
          transport: "direct_jsonrpc_v1",
          url: `ws://127.0.0.1:${server.address().port}/socket`,
        }));
      });
    });
    server.on("upgrade", (_, socket) => {
      socket.on("error", () => {});
      if (++dials === 2) settle("dials again");
      const body = '{"error":{"code":"c","message":"the reason"}}';
      socket.end(`HTTP/1.1 ${status} X\r\nconnection: close\r\ncontent-type: application/json\r\n` +
        `content-length: ${body.length}\r\n\r\n${body}`);
    });
    let codex;
    const settle = (what) => {
      if (settled) return;
      settled = true;
      // To npm's wrapper, which hands it on.
      codex.kill("SIGTERM");
      server.close();
      server.closeAllConnections();
      resolve({ what, said });
    };
    server.listen(0, "127.0.0.1", () => {
      const home = `home-${status}`;
      mkdirSync(home);
      codex = spawn("node", [
        "node_modules/@openai/codex/bin/codex.js", "exec-server",
        "--remote", `http://127.0.0.1:${server.address().port}`, "--environment-id", "env_1",
        "--remote-transport", "direct", "--aws-sigv4",
      ], {
        stdio: ["ignore", "ignore", "pipe"],
        env: {
          PATH: process.env.PATH, HOME: home, CODEX_HOME: home,
          AWS_ACCESS_KEY_ID: "AKID", AWS_SECRET_ACCESS_KEY: "secret", AWS_REGION: "us-east-1",
        },
      });
      codex.stderr.on("data", (data) => said += data);
      codex.on("exit", (code) => settle(code === 1 ? "ends" : `ends with ${code}`));
    });
  });
}

let changed = false;
for (const [status, expected] of Object.entries(EXPECTED)) {
  const { what, said } = await outcome(status);
  const isSame = what === expected && !said.includes("the reason");
  console.log(`${status}: ${what}${isSame ? "" : `, not: ${expected}\n${said}`}`);
  changed ||= !isSame;
}
process.exit(changed ? 1 : 0);
EOF
node registry.mjs
