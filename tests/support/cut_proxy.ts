/**
 * A TCP proxy whose wire can be cut: nothing passes any more, and neither end is told. It can also come to
 * lead elsewhere, as an address does that another server takes over.
 *
 * @module
 */
import { connect, createServer, type Server, type Socket } from "node:net";

export class CutProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: { hostname: string; port: number };
  #cut = false;
  /** How many connections were ever made to it. */
  accepted = 0;

  private constructor(target: { hostname: string; port: number }) {
    this.#target = target;
    this.#server = createServer((near) => {
      this.accepted++;
      this.#keep(near);
      if (this.#cut) return near.pause();
      const far = connect(this.#target.port, this.#target.hostname);
      this.#keep(far);
      // Neither side's end is told to the other once the wire is cut, as it is then unpiped.
      near.pipe(far).pipe(near);
      near.on("close", () => far.destroy());
      far.on("close", () => this.#cut || near.destroy());
    });
  }

  /** Starts one before a server; it listens on this machine's loopback unless told otherwise. */
  static async before(
    target: { hostname: string; port: number },
    { host = "127.0.0.1" } = {},
  ): Promise<CutProxy> {
    const proxy = new CutProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, host, resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /** Cuts every connection that there is, and all that come until it is mended. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** Ends every connection that there is, and tells both ends; those that come are let through. */
  drop(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Lets new connections through; those that were cut stay dead. */
  mend(): void {
    this.#cut = false;
  }

  /** Leads new connections to another server; those that there are stay with theirs. */
  leadTo(target: { hostname: string; port: number }): void {
    this.#target = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
