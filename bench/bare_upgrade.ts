/** The least that a websocket connect costs in this runtime: an upgrade and nothing else. */
Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]), onListen() {} }, (req) => {
  if (req.headers.get("upgrade") !== "websocket") return new Response("ok");
  return Deno.upgradeWebSocket(req).response;
});
