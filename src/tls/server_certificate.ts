import { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import type { Config } from "../config.ts";
import { log } from "../log/logging.ts";
import {
  CertificateError,
  type CertificateFiles,
  type CertificatePair,
  isFor,
  leafOf,
  readCertificateFiles,
} from "./certificate.ts";
import { hostNames, hostOf } from "./host_names.ts";
import { secureContextOf } from "./secure_context.ts";
import { CA_FILE, selfSigned } from "./self_signed.ts";

/** How often it is looked whether there is a newer certificate, in milliseconds. */
const LOOK_EVERY_MS = 10_000;

/** From how long before the end of a certificate of one's own on the log says so, and how often. */
const DAY_MS = 24 * 3600 * 1000;
const WARN_BEFORE_MS = 14 * DAY_MS;

/** A CA that the gateway made, as others are to know it. */
export interface OwnCa {
  /** Its certificate's file, relative to the data directory. */
  readonly file: string;
  /** SHA-256 of the certificate, `AB:CD:…`. */
  readonly fingerprint: string;
}

/** What of the configuration says which certificate is served. */
export type CertificateConfig = Pick<
  Config,
  "tls" | "host" | "internal" | "publicWsBaseUrl" | "dataDir"
>;

/** The certificate that is served now, taken anew when its files change or it is soon over. */
export class ServerCertificate {
  readonly #source: Source;
  #current: CertificatePair;
  #context: SecureContext;
  #complaint: string | undefined;
  #warnedAt = -Infinity;

  private constructor(source: Source, pair: CertificatePair, context: SecureContext) {
    this.#source = source;
    this.#current = pair;
    this.#context = context;
  }

  /**
   * The certificate of a configuration, `undefined` for plain HTTP.
   *
   * @throws {CertificateError} naming what is wrong with one's own
   * @throws {DataDirectoryError} when a self-signed one cannot be kept
   */
  static async load(config: CertificateConfig): Promise<ServerCertificate | undefined> {
    if (config.tls === undefined) return undefined;
    const source = config.tls === "self-signed"
      ? new SelfSignedSource(config)
      : new FilesSource(config.tls);
    const pair = await source.load();
    const certificate = new ServerCertificate(source, pair, await secureContextOf(pair));
    certificate.#warnOfItsEnd();
    return certificate;
  }

  /** What a handshake that begins now is done with. */
  get context(): SecureContext {
    return this.#context;
  }

  /** The CA, where the gateway made its own. */
  get ca(): OwnCa | undefined {
    return this.#source.ca;
  }

  /**
   * The host by which this machine reaches the gateway in a URL that the certificate is for: the first of
   * these that it names, else a name of its own, else the first of these.
   */
  hostFor(candidates: readonly string[]): string {
    const leaf = leafOf(this.#current);
    const named = /(?:^|, )DNS:([^*,]+)/.exec(leaf.subjectAltName ?? "")?.[1];
    return candidates.find((host) => isFor(leaf, host)) ?? named ?? candidates[0]!;
  }

  /** Looks for a newer one at a steady pace until `stop` is aborted. Connections that are open stay. */
  watch(stop: AbortSignal, everyMs = LOOK_EVERY_MS): void {
    const timer = setInterval(() => this.look(), everyMs);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Looks for a newer one now. One that cannot be used changes nothing but the log. */
  async look(): Promise<void> {
    try {
      const pair = await this.#source.renewed();
      if (
        pair !== undefined && (pair.cert !== this.#current.cert || pair.key !== this.#current.key)
      ) {
        this.#context = await secureContextOf(pair);
        this.#current = pair;
        log.info("a new TLS certificate is served", { expires: endOf(pair).toISOString() });
      }
      this.#complaint = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#complaint) {
        log.error("the new TLS certificate cannot be used; the one before is still served", {
          error: reason,
          expires: endOf(this.#current).toISOString(),
        });
      }
      this.#complaint = reason;
    }
    this.#warnOfItsEnd();
  }

  #warnOfItsEnd(): void {
    const expires = endOf(this.#current);
    const now = Date.now();
    if (expires.getTime() - now > WARN_BEFORE_MS || now - this.#warnedAt < DAY_MS) return;
    this.#warnedAt = now;
    log.warn("the TLS certificate is soon over, or is so already", {
      expires: expires.toISOString(),
    });
  }
}

/** Where certificates come from. */
interface Source {
  readonly ca?: OwnCa;
  load(): Promise<CertificatePair>;
  /** The one to serve now, `undefined` when nothing has changed. */
  renewed(): Promise<CertificatePair | undefined>;
}

class FilesSource implements Source {
  readonly #files: CertificateFiles;
  #seen = "";

  constructor(files: CertificateFiles) {
    this.#files = files;
  }

  async load(): Promise<CertificatePair> {
    this.#seen = await this.#state();
    return readCertificateFiles(this.#files);
  }

  async renewed(): Promise<CertificatePair | undefined> {
    const state = await this.#state();
    if (state === this.#seen) return undefined;
    const pair = readCertificateFiles(this.#files);
    this.#seen = state;
    return pair;
  }

  /** Changes when one of the files does, or another takes its place behind a link. */
  async #state(): Promise<string> {
    const files = [this.#files.certFile, this.#files.keyFile];
    return (await Promise.all(files.map(async (file) => {
      try {
        const { mtime, size, ino } = await Deno.stat(file);
        return `${mtime?.getTime()} ${size} ${ino}`;
      } catch (error) {
        return `${error}`;
      }
    }))).join();
  }
}

class SelfSignedSource implements Source {
  readonly #config: CertificateConfig;
  #ca: OwnCa | undefined;

  constructor(config: CertificateConfig) {
    this.#config = config;
  }

  get ca(): OwnCa | undefined {
    return this.#ca;
  }

  async load(): Promise<CertificatePair> {
    const { host, internal, publicWsBaseUrl, dataDir } = this.#config;
    const publicHost = publicWsBaseUrl && hostOf(publicWsBaseUrl);
    const made = await selfSigned(dataDir, thisHost([host, internal?.host, publicHost]));
    this.#ca = { file: CA_FILE, fingerprint: new X509Certificate(made.ca).fingerprint256 };
    return made;
  }

  renewed(): Promise<CertificatePair> {
    return this.load();
  }
}

function thisHost(configured: readonly (string | undefined)[]): string[] {
  try {
    return hostNames(configured);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new CertificateError([
      "CXG_TLS=self-signed has to know this host's names and addresses: give Deno " +
      "--allow-sys=hostname,networkInterfaces",
    ]);
  }
}

function endOf(pair: CertificatePair): Date {
  return new Date(leafOf(pair).validTo);
}
