/**
 * The certificate authorities of a gateway that made its own, as another machine is given them.
 *
 * codex takes `SSL_CERT_FILE` in place of the machine's own authorities, and so do the commands that an
 * executor runs: a file with the gateway's alone would cut a harness off from its model, and those
 * commands from everything else. So it holds both.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";

/** The file on the other machine, as a shell there reads it. */
export const AUTHORITIES_FILE = '"$HOME/gateway-ca.pem"';

/** Where systems keep the authorities that they trust: Debian and others, Red Hat, macOS and BSD. */
export const SYSTEM_AUTHORITIES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

/** What another machine has to be given before a line can run there, for programs. */
export interface OwnCa {
  /** The CA's certificate. */
  readonly pem: string;
  /** Its SHA-256 fingerprint. */
  readonly sha256: string;
  /** What a shell on the other machine has to run, once. */
  readonly prepare: string;
}

/** @param pem a certificate, or several */
export function ownCa(pem: string): OwnCa {
  return {
    pem,
    sha256: new X509Certificate(pem).fingerprint256,
    prepare: `{ cat ${SYSTEM_AUTHORITIES.join(" ")} 2>/dev/null; echo; cat; } ` +
      `> ${AUTHORITIES_FILE} <<'END'\n${pem.trim()}\nEND`,
  };
}

/**
 * What to run before the lines, for people; nothing where the certificate is signed by a known authority.
 *
 * @param machine where
 */
export function renderPreparation(ca: OwnCa | undefined, machine: string): string {
  if (ca === undefined) return "";
  return `The gateway's certificate is signed by its own CA, SHA-256
${ca.sha256}.
On ${machine} make, once, a file of it and of the authorities that it trusts already:

${ca.prepare}

`;
}
