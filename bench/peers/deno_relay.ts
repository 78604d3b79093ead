/**
 * The barest relay that Deno allows: joins the websockets /a/N and /b/N with two sockets and a send.
 * It is the runtime's floor, and only there to be measured.
 *
 * @module
 */
/** From how many bytes on the memory of a message is given back at once, as whoever cares for it does. */
const RELEASE_FROM = 16 * 1024;

const executors = new Map<string, WebSocket>();

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen() {} }, (req) => {
  const [, side, name] = new URL(req.url).pathname.split("/");
  if (side === undefined || name === undefined) return new Response(null, { status: 404 });
  const executor = executors.get(name);
  if (side === "b" && executor === undefined) return new Response(null, { status: 503 });
  const { socket, response } = Deno.upgradeWebSocket(req);
  socket.binaryType = "arraybuffer";
  if (executor === undefined) {
    socket.onopen = () => executors.set(name, socket);
  } else {
    socket.onmessage = ({ data }) => pass(data, executor);
    executor.onmessage = ({ data }) => pass(data, socket);
    socket.onclose = () => {
      executors.delete(name);
      executor.close();
    };
  }
  return response;
});

function pass(data: string | ArrayBuffer, to: WebSocket): void {
  to.send(data);
  if (typeof data !== "string" && data.byteLength >= RELEASE_FROM) data.transfer(0);
}
