import type { StoreOptions } from "../../src/store/store.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { LIMITS } from "./harness_ends.ts";

/**
 * Starts a gateway with limits small enough to be met, to which everybody here is the proxy of whomever
 * they say: else all who are refused would use up what one address has.
 *
 * @param port 0 for a free one
 */
export function startGateway(database: StoreOptions, port = 0): Promise<GatewayProcess> {
  return GatewayProcess.start(database, {
    CXG_PORT: `${port}`,
    CXG_MAX_BUFFERED: `${LIMITS.maxBuffered}`,
    CXG_MAX_FRAME: `${LIMITS.maxFrame}`,
    CXG_TRUSTED_PROXIES: "127.0.0.1",
  });
}
