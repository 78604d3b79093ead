/**
 * A server's certificate with its key, read from files and judged: what a client would refuse, or the runtime
 * could not serve, is named before anybody meets it.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { isIP } from "node:net";

/** A certificate with those that lead to its CA, and its private key: both PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

/** Where a pair is. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Everything that is wrong with a pair, a line each, which names the variable and no value. */
export class CertificateError extends Error {
  override name = "CertificateError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

/**
 * Reads the pair of `CXG_TLS_CERT` and `CXG_TLS_KEY`.
 *
 * @param now when it has to be valid, in unix milliseconds
 * @throws {CertificateError}
 */
export function readCertificateFiles(
  { certFile, keyFile }: CertificateFiles,
  now = Date.now(),
): CertificatePair {
  const problems: string[] = [];
  const read = (variable: string, file: string) => {
    const text = readFile(file);
    if (typeof text === "string") return text;
    problems.push(`${variable} ${text.problem}`);
  };
  const cert = read("CXG_TLS_CERT", certFile);
  const key = read("CXG_TLS_KEY", keyFile);
  const chain = cert === undefined ? undefined : parseChain(cert);
  const privateKey = key === undefined ? undefined : parseKey(key);
  if (typeof chain === "string") problems.push(`CXG_TLS_CERT ${chain}`);
  if (typeof privateKey === "string") problems.push(`CXG_TLS_KEY ${privateKey}`);
  if (key !== undefined && mayEverybodyRead(keyFile)) {
    problems.push("CXG_TLS_KEY may be read by every user of this machine: chmod o= the file");
  }
  if (Array.isArray(chain)) {
    const leaf = chain[0]!;
    problems.push(...problemsOf(leaf, now).map((problem) => `CXG_TLS_CERT ${problem}`));
    if (typeof privateKey === "object" && !leaf.checkPrivateKey(privateKey)) {
      problems.push("CXG_TLS_KEY is not the key of the first certificate in CXG_TLS_CERT");
    }
  }
  if (problems.length > 0) throw new CertificateError(problems);
  return { cert: cert!, key: key! };
}

/** The first certificate of a pair: the server's own. */
export function leafOf({ cert }: CertificatePair): X509Certificate {
  return new X509Certificate(cert);
}

/** Whether a certificate is for a host: a DNS name, or an address. */
export function isFor(certificate: X509Certificate, host: string): boolean {
  const found = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
  return found !== undefined;
}

function readFile(file: string): string | { problem: string } {
  if (file.includes("-----BEGIN")) {
    return { problem: "must be the path of a PEM file, not its text" };
  }
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    return { problem: `cannot be read: ${reason(error)}` };
  }
}

/** The group may read it, as Debian's ssl-cert does: not known where files have no mode. */
function mayEverybodyRead(file: string): boolean {
  const { mode } = Deno.statSync(file);
  return mode !== null && (mode & 0o004) !== 0;
}

/** Without the path, which may be a secret in the wrong variable. */
function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.NotCapable) {
    return "give Deno --allow-read for it, by a path without a comma";
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  return error instanceof Error ? error.name : "unknown error";
}

/** The certificates of a PEM text, the server's own first; else what is wrong with it. */
function parseChain(pem: string): X509Certificate[] | string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) return "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)";
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return "holds a certificate that cannot be read: is the file whole?";
  }
}

function parseKey(pem: string): KeyObject | string {
  if (/-----BEGIN ENCRYPTED|^Proc-Type: *4,ENCRYPTED/m.test(pem)) {
    return "has a passphrase, and a service has nobody to ask for it: write the key without one (openssl pkey)";
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    return "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)";
  }
  try {
    return createPrivateKey(pem);
  } catch {
    return "holds a private key that cannot be read: is the file whole?";
  }
}

function problemsOf(leaf: X509Certificate, now: number): string[] {
  const problems: string[] = [];
  if (leaf.ca) {
    problems.push(
      "begins with the certificate of a CA, which codex refuses as a server's own " +
        "(CaUsedAsEndEntity): the server's comes first, signed by that CA",
    );
  }
  if (leaf.subjectAltName === undefined) {
    problems.push("names no host: clients read subjectAltName, and nothing else");
  }
  if (now < Date.parse(leaf.validFrom)) {
    problems.push(`is not valid before ${new Date(leaf.validFrom).toISOString()}`);
  }
  if (now > Date.parse(leaf.validTo)) {
    problems.push(`has expired on ${new Date(leaf.validTo).toISOString()}`);
  }
  return problems;
}
