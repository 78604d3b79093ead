/**
 * A websocket peer in a process of its own, which may be stopped or cut off: it takes what comes.
 * Arguments: the URL, the bearer token, and in base64 what it sends first, if anything.
 *
 * @module
 */
const [url, token, first] = Deno.args;
const socket = new WebSocket(url!, { headers: { authorization: `Bearer ${token}` } });
socket.onopen = () => {
  if (first) socket.send(Uint8Array.fromBase64(first));
  // deno-lint-ignore no-console
  console.log("open");
};
socket.onmessage = () => {};
