import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { readCertificateFiles } from "../../src/tls/certificate.ts";
import { hours, TestCertificates } from "../support/certificates.ts";

/** What is wrong with a pair, a line each; nothing, with a good one. */
async function problemsOf(
  spoil: (certificates: TestCertificates) => Promise<unknown>,
): Promise<readonly string[]> {
  await using certificates = await TestCertificates.create();
  await spoil(certificates);
  try {
    readCertificateFiles(certificates.files);
    return [];
  } catch (error) {
    const text = (error as Error).message;
    assert.ok(!text.includes(certificates.directory), "no value of a variable is in it");
    return (error as { problems: string[] }).problems;
  }
}

Deno.test("a certificate with its key is read", async () => {
  assert.deepEqual(await problemsOf(() => Promise.resolve()), []);
});

Deno.test("a chain is read whole, the server's own first", async () => {
  await using certificates = await TestCertificates.create();
  const own = await Deno.readTextFile(certificates.files.certFile);
  await Deno.writeTextFile(certificates.files.certFile, own + certificates.ca);
  assert.equal(readCertificateFiles(certificates.files).cert, own + certificates.ca);
});

Deno.test("files that are not there are named, both", async () => {
  assert.deepEqual(
    await problemsOf(async ({ files }) => {
      await Deno.remove(files.certFile);
      await Deno.remove(files.keyFile);
    }),
    [
      "CXG_TLS_CERT cannot be read: there is no such file",
      "CXG_TLS_KEY cannot be read: there is no such file",
    ],
  );
});

Deno.test("a key in place of its file's path is not repeated", async () => {
  await using certificates = await TestCertificates.create();
  const { certFile } = certificates.files;
  assert.throws(
    () => readCertificateFiles({ certFile, keyFile: certificates.caKey }),
    { message: "CXG_TLS_KEY must be the path of a PEM file, not its text" },
  );
});

Deno.test("the key of another certificate is named", async () => {
  assert.deepEqual(
    await problemsOf(({ files, caKey }) => Deno.writeTextFile(files.keyFile, caKey)),
    ["CXG_TLS_KEY is not the key of the first certificate in CXG_TLS_CERT"],
  );
});

Deno.test("a certificate that is over, or not valid yet, is named with its date", async () => {
  const [over] = await problemsOf((certificates) => certificates.renew(hours(-2, -1)));
  assert.match(over!, /^CXG_TLS_CERT has expired on \d{4}-\d\d-\d\dT/);
  const [early] = await problemsOf((certificates) => certificates.renew(hours(1, 2)));
  assert.match(early!, /^CXG_TLS_CERT is not valid before \d{4}-\d\d-\d\dT/);
});

Deno.test("a CA's certificate as the server's own is refused, as codex would", async () => {
  const problems = await problemsOf(async ({ files, ca, caKey }) => {
    await Deno.writeTextFile(files.certFile, ca);
    await Deno.writeTextFile(files.keyFile, caKey);
  });
  assert.match(problems[0]!, /^CXG_TLS_CERT begins with the certificate of a CA.*CaUsedAsEndEnt/);
  assert.match(problems[1]!, /^CXG_TLS_CERT names no host/);
});

Deno.test({
  name: "a key that every user of the machine may read is named, one for a group is not",
  ignore: Deno.build.os === "windows",
  async fn() {
    const [problem, ...rest] = await problemsOf(({ files }) => Deno.chmod(files.keyFile, 0o644));
    assert.match(problem!, /^CXG_TLS_KEY may be read by every user of this machine: chmod o= /);
    assert.deepEqual(rest, []);
    await using certificates = await TestCertificates.create();
    await Deno.chmod(certificates.files.keyFile, 0o640);
    assert.ok(readCertificateFiles(certificates.files).key);
  },
});

Deno.test("a key with a passphrase is named, in both forms that openssl writes", async () => {
  const encrypted = async ({ files }: TestCertificates) => {
    const key = createPrivateKey(await Deno.readTextFile(files.keyFile));
    const options = {
      type: "pkcs8",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase: "x",
    } as const;
    await Deno.writeTextFile(files.keyFile, key.export(options) as string);
  };
  assert.match((await problemsOf(encrypted))[0]!, /^CXG_TLS_KEY has a passphrase/);
  const old =
    "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,9F\n\nAA==\n" +
    "-----END EC PRIVATE KEY-----\n";
  const [problem] = await problemsOf(({ files }) => Deno.writeTextFile(files.keyFile, old));
  assert.match(problem!, /^CXG_TLS_KEY has a passphrase/);
});

Deno.test("files of another kind, and half ones, are named", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const text = publicKey.export({ type: "spki", format: "pem" }) as string;
  assert.deepEqual(
    await problemsOf(async ({ files }) => {
      await Deno.writeTextFile(files.certFile, text);
      await Deno.writeTextFile(files.keyFile, text);
    }),
    [
      "CXG_TLS_CERT holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
      "CXG_TLS_KEY holds no private key in PEM (-----BEGIN PRIVATE KEY-----)",
    ],
  );
  const halve = async (file: string) => {
    const lines = (await Deno.readTextFile(file)).split("\n");
    lines.splice(1, 1);
    await Deno.writeTextFile(file, lines.join("\n"));
  };
  assert.deepEqual(
    await problemsOf(async ({ files }) => {
      await halve(files.certFile);
      await halve(files.keyFile);
    }),
    [
      "CXG_TLS_CERT holds a certificate that cannot be read: is the file whole?",
      "CXG_TLS_KEY holds a private key that cannot be read: is the file whole?",
    ],
  );
});
