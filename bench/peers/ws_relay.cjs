/**
 * Joins the websockets /a/N and /b/N with npm:ws on Node. It is only there to be measured.
 *
 * Arguments: the port, and the directory of the package.
 */
const { createServer } = require("node:http");
const [port, packageDir] = process.argv.slice(2);
const { WebSocketServer } = require(packageDir);

const executors = new Map();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

createServer().on("upgrade", (req, tcp, head) => {
  const [, side, name] = req.url.split("/");
  const executor = executors.get(name);
  if (side === "b" && executor === undefined) {
    return tcp.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  }
  sockets.handleUpgrade(req, tcp, head, (socket) => {
    if (executor === undefined) return executors.set(name, socket);
    socket.on("message", (data, binary) => executor.send(data, { binary }));
    executor.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("close", () => {
      executors.delete(name);
      executor.close();
    });
  });
}).listen(Number(port), "127.0.0.1");
