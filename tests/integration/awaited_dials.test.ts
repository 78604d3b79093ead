/**
 * The warning of an executor that registers and cannot dial in.
 *
 * @module
 */
import assert from "node:assert/strict";
import { AwaitedDials } from "../../src/presence/awaited_dials.ts";
import { untilGone } from "../support/exclusive.ts";
import { gatewayTest, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { register } from "../support/relay.ts";
import { connect, until } from "../support/websocket.ts";

/** The moment that an executor has here is over before it can dial. */
const IMPATIENT = { dialsWithinMs: 1, publicWsBaseUrl: "wss://gateway.example/with/prefix" };

gatewayTest(
  "an executor that registers and does not dial in is warned of, once",
  async (gateway) => {
    using logs = new CapturedLogs();
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    const { url } = await register(gateway, executor);
    await until("it is warned of", () => warnings(logs).length === 1);
    const [{ properties, level }] = warnings(logs) as [ReturnType<typeof warnings>[number]];
    assert.equal(level, "warning");
    // Without its ticket.
    assert.deepEqual(properties, {
      exe_id,
      url: `wss://gateway.example/with/prefix/codex-exec/${exe_id}`,
      remote: "127.0.0.1",
      seconds: 0,
    });
    await register(gateway, executor);

    await dialAndGo(gateway, exe_id, url);
    assert.equal(warnings(logs).length, 1);
    // It has dialled in since, so the next time is another one.
    await until("it is warned of again", async () => {
      await register(gateway, executor);
      return warnings(logs).length === 2;
    });
  },
  IMPATIENT,
);

Deno.test("nobody is warned of who dials in time, here or at another process", async () => {
  using logs = new CapturedLogs();
  using dials = new AwaitedDials((exeId) => Promise.resolve(exeId === "exe_elsewhere"), 1);
  for (const exeId of ["exe_here", "exe_elsewhere", "exe_nowhere"]) {
    dials.registered(exeId, `ws://gateway/codex-exec/${exeId}`, "192.0.2.1");
  }
  dials.dialled("exe_here");
  await until("the last one is warned of", () => warnings(logs).length > 0);
  assert.deepEqual(warnings(logs).map(({ properties }) => properties.exe_id), ["exe_nowhere"]);
});

function warnings(logs: CapturedLogs) {
  return logs.records.filter(({ message }) =>
    /has registered and not dialled in/.test(message.join(""))
  );
}

/** Dials the URL at the gateway itself, as through the proxy that the URL is of. */
async function dialAndGo(gateway: TestGateway, exeId: string, url: string): Promise<void> {
  {
    await using machine = await connect(
      url.replace("wss://gateway.example/with/prefix", gateway.wsUrl),
    );
    await until("it is connected", async () => (await gateway.connected()).includes(exeId));
    machine.close();
  }
  await untilGone(gateway, exeId);
}
