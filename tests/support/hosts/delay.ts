import type { Hosts } from "./hosts.ts";
import { whyNoDelay } from "./link.ts";

/**
 * Makes the way from executors and harness to a port of the gateway longer, until it is disposed.
 *
 * Where the kernel has no netem a process on the router does it: connections to that port are led to it,
 * and it passes on what comes some time later. The gateway then sees the router's address.
 *
 * @param ms each way, in milliseconds
 */
export async function delayTo(hosts: Hosts, port: number, ms: number): Promise<AsyncDisposable> {
  if (await whyNoDelay() === undefined) {
    const { link } = hosts.gateway;
    await link.pace({ delayMs: ms });
    return { [Symbol.asyncDispose]: () => link.pace() };
  }
  const { gateway, router } = hosts;
  const script = new URL("late.ts", import.meta.url).pathname;
  const argv = [Deno.execPath(), "run", "--no-config", "--allow-net", script, gateway.address];
  const [program, ...args] = router.command([...argv, String(port), String(ms)], "/");
  const child = new Deno.Command(program!, { args, stdout: "piped" }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const end = async () => {
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await router.run("nft delete table ip late 2>/dev/null || true");
  };
  const { value: itsPort } = await reader.read();
  try {
    if (itsPort === undefined) throw new Error("the process that delays has ended");
    await router.run(`nft -f - <<'END'
table ip late {
  chain arriving {
    type nat hook prerouting priority -100;
    ip daddr ${gateway.address} tcp dport ${port} redirect to :${itsPort.trim()}
  }
}
END`);
  } catch (error) {
    await end();
    throw error;
  }
  return { [Symbol.asyncDispose]: end };
}
