/**
 * The CA and the certificate that a gateway with `CXG_TLS=self-signed` makes for itself, in its data
 * directory. The CA stays, since other machines were given it; the server's certificate is made anew in time.
 *
 * @module
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { replaceFile } from "../data_dir/replace_file.ts";
import { DataDirectoryError } from "../store/database.ts";
import { checkDataDirectory } from "../store/private_directory.ts";
import { type CertificatePair, isFor } from "./certificate.ts";
import type { Validity } from "./make_certificate.ts";

const DAY_MS = 24 * 3600 * 1000;

/** How long the CA is good: as long as one machine is, and more. */
const CA_DAYS = 3650;

/** How long a server's certificate is good, and how long before its end it is replaced. */
const SERVER_DAYS = 90;
const RENEW_DAYS = 30;

/** How far back a certificate begins: clocks of other machines are late. */
const BACKDATED_DAYS = 1;

/** A certificate that the gateway has made, and the CA to trust for it. */
export interface SelfSigned extends CertificatePair {
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** Whether this call made it. */
  readonly isNew: boolean;
}

/** The CA's certificate, relative to the data directory. */
export const CA_FILE = "tls/ca.pem";

/**
 * What is in the data directory, made or made anew where it is missing, soon over, or not for one of the
 * hosts.
 *
 * @param hosts the DNS names and addresses that it has to be for
 * @param now in unix milliseconds
 * @throws {DataDirectoryError} when it cannot be read or written, or others have a way to it
 */
export async function selfSigned(
  dataDir: string,
  hosts: readonly string[],
  now = Date.now(),
): Promise<SelfSigned> {
  try {
    const directory = `${dataDir}/tls`;
    checkDataDirectory(dataDir);
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    // Two processes that share a port may start at once.
    using lock = await Deno.open(`${directory}/lock`, { create: true, write: true, mode: 0o600 });
    await lock.lock(true);
    const ca = await loadOrMakeCa(directory, now);
    const kept = readPair(directory, "cert.pem", "key.pem");
    if (kept !== undefined && fits(kept, ca, hosts, now)) {
      return { ...kept, ca: ca.cert, isNew: false };
    }
    const { makeServerCertificate } = await import("./make_certificate.ts");
    const until = Math.min(now + SERVER_DAYS * DAY_MS, Date.parse(parse(ca.cert)!.validTo));
    const made = await makeServerCertificate(ca, hosts, validity(now, until));
    writePair(directory, made, "cert.pem", "key.pem");
    return { ...made, ca: ca.cert, isNew: true };
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot keep a certificate in ${dataDir}/tls: ${reason}`);
  }
}

async function loadOrMakeCa(directory: string, now: number): Promise<CertificatePair> {
  const kept = readPair(directory, "ca.pem", "ca-key.pem");
  if (kept !== undefined && isGoodCa(kept, now)) return kept;
  // Its key would not be there for it if this ended halfway.
  if (kept !== undefined) await Deno.remove(`${directory}/ca.pem`);
  const { makeCa } = await import("./make_certificate.ts");
  const suffix = crypto.getRandomValues(new Uint8Array(4)).toHex();
  const made = await makeCa(
    `codex-exec-gateway CA ${suffix}`,
    validity(now, now + CA_DAYS * DAY_MS),
  );
  writePair(directory, made, "ca.pem", "ca-key.pem");
  return made;
}

/** Whether it is not over. A damaged one is an error, and not replaced: other machines trust it. */
function isGoodCa(ca: CertificatePair, now: number): boolean {
  const certificate = parse(ca.cert);
  if (certificate === undefined || !matches(certificate, ca.key)) {
    throw new Error("ca.pem and ca-key.pem do not belong together: restore them, or remove both");
  }
  return now < Date.parse(certificate.validTo);
}

function fits(
  pair: CertificatePair,
  ca: CertificatePair,
  hosts: readonly string[],
  now: number,
): boolean {
  const certificate = parse(pair.cert);
  return certificate !== undefined && matches(certificate, pair.key) &&
    certificate.verify(parse(ca.cert)!.publicKey) &&
    Date.parse(certificate.validFrom) <= now &&
    now < Date.parse(certificate.validTo) - RENEW_DAYS * DAY_MS &&
    hosts.every((host) => isFor(certificate, host));
}

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function matches(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function validity(now: number, to: number): Validity {
  return { from: now - BACKDATED_DAYS * DAY_MS, to };
}

/** A pair, `undefined` where there is no certificate; one whose key is lost has an empty key. */
function readPair(directory: string, cert: string, key: string): CertificatePair | undefined {
  const text = readIfThere(`${directory}/${cert}`);
  if (text === undefined) return undefined;
  return { cert: text, key: readIfThere(`${directory}/${key}`) ?? "" };
}

function readIfThere(file: string): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The key first: a certificate is there only when its key is. */
function writePair(directory: string, pair: CertificatePair, cert: string, key: string): void {
  replaceFile(`${directory}/${key}`, pair.key, 0o600);
  replaceFile(`${directory}/${cert}`, pair.cert, 0o644);
}
