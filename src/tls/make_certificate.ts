/**
 * X.509 certificates, made with WebCrypto: a CA's own, and a server's that it signs. P-256, which every TLS
 * library takes.
 *
 * @module
 */
// The certificate library resolves its parts by decorators, which look for this one.
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { isIP } from "node:net";
import type { CertificatePair } from "./certificate.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** From when and how long a certificate is valid, in unix milliseconds. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

/** Makes a CA: a key, and a certificate that it signs itself and that may sign those of servers only. */
export async function makeCa(name: string, validity: Validity): Promise<CertificatePair> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common(name, validity),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: certificate.toString("pem") + "\n", key: await exportKey(keys.privateKey) };
}

/**
 * Makes a server's certificate with a key of its own.
 *
 * @param hosts the DNS names and addresses that it is for
 */
export async function makeServerCertificate(
  ca: CertificatePair,
  hosts: readonly string[],
  validity: Validity,
): Promise<CertificatePair> {
  const caCertificate = new x509.X509Certificate(ca.cert);
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...common("codex-exec-gateway", validity),
    issuer: caCertificate.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.key),
    signingAlgorithm: ALGORITHM,
    extensions: [
      // rustls, and so codex, takes no CA's certificate for a server's.
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        hosts.map((value) => ({ type: isIP(value) === 0 ? "dns" as const : "ip" as const, value })),
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(caCertificate.publicKey),
    ],
  });
  return { cert: certificate.toString("pem") + "\n", key: await exportKey(keys.privateKey) };
}

function common(name: string, { from, to }: Validity) {
  return {
    // 127 bits, and never negative (RFC 5280 section 4.1.2.2).
    serialNumber: crypto.getRandomValues(new Uint8Array(16)).with(0, 0x7f & random()).toHex(),
    subject: [{ CN: [name] }],
    name: [{ CN: [name] }],
    notBefore: new Date(from),
    notAfter: new Date(to),
  };
}

function random(): number {
  return crypto.getRandomValues(new Uint8Array(1))[0]! | 1;
}

async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function exportKey(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY") +
    "\n";
}

async function importKey(pem: string): Promise<CryptoKey> {
  const [pkcs8] = x509.PemConverter.decode(pem);
  return await crypto.subtle.importKey("pkcs8", pkcs8!, ALGORITHM, false, ["sign"]);
}
