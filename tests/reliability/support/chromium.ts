/**
 * A page in a real browser.
 *
 * @module
 */

/** Without what Chromium otherwise asks of the network by itself. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const PROGRAM = "/usr/bin/chromium";

/** Whether this machine has Chromium. */
export const hasChromium = await Deno.stat(PROGRAM).then(() => true, () => false);

/**
 * Opens a page whose script ends with a JSON value, and returns that value.
 *
 * @param script the body of an async function that returns what can be JSON
 * @param timeoutMs how long it may take, the browser's start included
 */
export async function runInPage(script: string, timeoutMs = 60_000): Promise<unknown> {
  const result = Promise.withResolvers<unknown>();
  const page = `<!doctype html><title>elsewhere</title><script type="module">
    const run = async () => { ${script} };
    const value = await run().catch((error) => ({ failed: String(error) }));
    await fetch("/result", { method: "POST", body: JSON.stringify(value) });
  </script>`;
  await using _server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (req) => {
      const { pathname } = new URL(req.url);
      if (pathname === "/result") result.resolve(await req.json());
      // What a page may read although it is another origin's.
      const headers = { "content-type": "text/html", "access-control-allow-origin": "*" };
      return new Response(pathname === "/" ? page : "", { headers });
    },
  );
  const profile = await Deno.makeTempDir({ prefix: "cxg-chromium-" });
  const child = new Deno.Command(PROGRAM, {
    args: [...FLAGS, `--user-data-dir=${profile}`, `http://127.0.0.1:${_server.addr.port}/`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => result.reject(new Error("the page has no result")), timeoutMs);
  try {
    return await result.promise;
  } finally {
    clearTimeout(timer);
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(profile, { recursive: true });
  }
}
