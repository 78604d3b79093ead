/**
 * Real executors and harnesses on a gateway with TLS, told of its CA by `SSL_CERT_FILE`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TestCertificates } from "../support/certificates.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { exists } from "../support/files.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/websocket.ts";
import { startExecutor, startTurn } from "./support/codex.ts";

/** One of relay and one of Noise frames: 0.130, of text frames, ends as it dials by TLS. */
const VERSIONS = ["0.140.0", "0.171.0"];

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

for (const version of VERSIONS) {
  onAnyDatabase(`codex ${version} runs a command over TLS, through a renewal`, async (store) => {
    await using certificates = await TestCertificates.create();
    await using gateway = await startGateway(store, {
      tls: certificates.files,
      ca: certificates.ca,
    });
    const env = { SSL_CERT_FILE: `${certificates.directory}/ca.pem` };
    await Deno.writeTextFile(env.SSL_CERT_FILE, certificates.ca);
    const created = await gateway.createExecutor();
    const dir = `${certificates.directory}/work`;
    await Deno.mkdir(dir);
    const gatewayUrl = `https://localhost:${gateway.port}`;
    await using _executor = await startExecutor({
      version,
      gatewayUrl,
      exeId: created.exe_id,
      registrationToken: created.registration_token,
      dir,
      env,
    });
    await untilConnected(gateway, created.exe_id, CONNECTED_WITHIN_MS);
    await using turn = await startTurn({
      version,
      gatewayUrl,
      exeId: created.exe_id,
      capToken: await gateway.capToken(created.exe_id),
      env,
      commands: [{
        cmd: "echo begun | tee begun.txt; until [ -e go ]; do sleep 0.1; done; echo whole",
        workdir: dir,
      }],
    });
    await until("the command runs", () => exists(`${dir}/begun.txt`), CONNECTED_WITHIN_MS);
    await certificates.renew();
    await gateway.certificate.look();
    await Deno.writeTextFile(`${dir}/go`, "");
    await turn.exited;
    assert.equal(turn.results()[0]?.output, "begun\nwhole\n", turn.output());
  });
}
