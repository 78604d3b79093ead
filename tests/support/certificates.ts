/**
 * Certificates for tests: a CA of their own, and servers' certificates in files.
 *
 * @module
 */
import type { CertificateFiles } from "../../src/tls/certificate.ts";
import { makeCa, makeServerCertificate, type Validity } from "../../src/tls/make_certificate.ts";

const HOUR_MS = 3_600_000;

/** The hosts of this machine that tests come by. */
const HOSTS = ["localhost", "127.0.0.1", "::1"];

/** A validity, in hours from now. */
export function hours(from: number, to: number): Validity {
  return { from: Date.now() + from * HOUR_MS, to: Date.now() + to * HOUR_MS };
}

/** A CA and a directory with a server's certificate that it signed. Disposing removes the directory. */
export class TestCertificates implements AsyncDisposable {
  readonly files: CertificateFiles;
  /** The CA's certificate, PEM. */
  readonly ca: string;
  /** Its key, PEM. */
  readonly caKey: string;
  readonly directory: string;

  private constructor(directory: string, ca: { cert: string; key: string }) {
    this.directory = directory;
    this.ca = ca.cert;
    this.caKey = ca.key;
    this.files = { certFile: `${directory}/cert.pem`, keyFile: `${directory}/key.pem` };
  }

  /** Makes them. */
  static async create(): Promise<TestCertificates> {
    const directory = await Deno.makeTempDir({ prefix: "cxg-certificates-" });
    const certificates = new TestCertificates(directory, await makeCa("test CA", hours(-1, 24)));
    await certificates.renew();
    return certificates;
  }

  /** Puts another certificate in the place of the one before. */
  async renew(validity = hours(-1, 12), hosts: readonly string[] = HOSTS): Promise<void> {
    const made = await makeServerCertificate(
      { cert: this.ca, key: this.caKey },
      hosts,
      validity,
    );
    await Deno.writeTextFile(this.files.certFile, made.cert);
    await Deno.writeTextFile(this.files.keyFile, made.key, { mode: 0o600 });
  }

  /** The variables of a gateway that serves it. */
  get variables(): Record<string, string> {
    return { CXG_TLS_CERT: this.files.certFile, CXG_TLS_KEY: this.files.keyFile };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.directory, { recursive: true });
  }
}
