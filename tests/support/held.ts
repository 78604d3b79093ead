import type { GatewayClient } from "./gateway.ts";
import { until } from "./websocket.ts";

/** Waits until the gateway holds somebody, and nothing moves any more. */
export async function untilHeld(
  gateway: GatewayClient,
  side: "executor" | "harness",
): Promise<void> {
  await until(
    "the sender is held",
    () => gateway.metric(`cxg_held{side="${side}"}`).then((n) => n === 1),
  );
  let before = -1;
  await until("nothing moves", async () => {
    const passed = await gateway.metric(
      `cxg_frame_bytes_total{to="${side === "executor" ? "harness" : "executor"}"}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const same = passed === before;
    before = passed;
    return same;
  });
}
