import { duplexPair } from "node:stream";
import { connect, createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { within } from "../time/within.ts";
import { CertificateError, type CertificatePair } from "./certificate.ts";

/** How long a handshake in memory may take on a busy machine, in milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** The sockets' types know sockets only; any stream will do. */
type Socket = ConstructorParameters<typeof TLSSocket>[0];

/**
 * What handshakes are done with. One is done at once, in memory: the runtime takes any key here, and those
 * that it cannot sign with (secp256k1, Ed448) would fail each client, silently.
 *
 * @throws {CertificateError}
 */
export async function secureContextOf({ cert, key }: CertificatePair): Promise<SecureContext> {
  try {
    const context = createSecureContext({ cert, key, minVersion: "TLSv1.2" });
    await shakeHands(context);
    return context;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CertificateError([
      `CXG_TLS_KEY is of a kind that the runtime cannot serve (${reason}): P-256, or RSA from 2048 bits ` +
      "on, is what every client takes",
    ]);
  }
}

async function shakeHands(secureContext: SecureContext): Promise<void> {
  const [near, far] = duplexPair() as unknown as [Socket, Socket];
  const server = new TLSSocket(near, { isServer: true, secureContext });
  // Whether it trusts the certificate is no question here.
  const client = connect({
    socket: far,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  });
  const done = new Promise<void>((resolve, reject) => {
    client.on("secureConnect", resolve);
    client.on("error", reject);
    server.on("error", reject);
  });
  try {
    if (!await within(HANDSHAKE_TIMEOUT_MS, done)) throw new Error("no handshake came about");
  } finally {
    client.destroy();
    server.destroy();
  }
}
