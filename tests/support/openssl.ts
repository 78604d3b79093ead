/**
 * Certificates that openssl makes for a test.
 *
 * @module
 */
import { makeDataDir } from "./files.ts";

/** Whether this machine has openssl. */
export const hasOpenssl: boolean = await isThere();

/** An authority and what it has signed, in a directory of its own. Disposing removes it. */
export class Authority implements AsyncDisposable {
  private constructor(readonly directory: string) {}

  static async create(): Promise<Authority> {
    const authority = new Authority(await makeDataDir());
    await authority.#run([
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", authority.#path("ca.key"), "-out", authority.cert],
      ...["-days", "2", "-subj", "/CN=an authority of a test"],
    ]);
    return authority;
  }

  /** The file of the authority's own certificate. */
  get cert(): string {
    return this.#path("ca.pem");
  }

  /** Signs a certificate for a name; returns its files. */
  async sign(name: string): Promise<{ cert: string; key: string }> {
    const key = this.#path(`${name}.key`);
    const request = this.#path(`${name}.csr`);
    const names = this.#path(`${name}.ext`);
    const cert = this.#path(`${name}.pem`);
    await Deno.writeTextFile(names, `subjectAltName=DNS:${name}\n`);
    await this.#run([
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", request, "-subj", `/CN=${name}`],
    ]);
    await this.#run([
      ...["x509", "-req", "-in", request, "-CA", this.cert, "-CAkey", this.#path("ca.key")],
      ...["-CAcreateserial", "-days", "2", "-extfile", names, "-out", cert],
    ]);
    return { cert, key };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }

  #path(name: string): string {
    return `${this.directory}/${name}`;
  }

  async #run(args: string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command("openssl", { args, stdout: "null" })
      .output();
    if (!success) throw new Error(`openssl ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  }
}

async function isThere(): Promise<boolean> {
  try {
    return (await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output())
      .success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
