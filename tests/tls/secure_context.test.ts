import assert from "node:assert/strict";
import { secureContextOf } from "../../src/tls/secure_context.ts";

/** Registers a test with a certificate of a kind of key, made by openssl. */
function test(name: string, newkey: string[], body: (pair: Pair) => Promise<void>): void {
  Deno.test({ name, ignore: !hasOpenssl, fn: async () => await body(await make(newkey)) });
}

interface Pair {
  cert: string;
  key: string;
}

const hasOpenssl = await new Deno.Command("openssl", { args: ["version"] }).output()
  .then(({ success }) => success, () => false);

const GOOD: readonly [string, string[]][] = [
  ["RSA of 2048 bits", ["rsa:2048"]],
  ["P-256", ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]],
  ["P-384", ["ec", "-pkeyopt", "ec_paramgen_curve:secp384r1"]],
  ["Ed25519", ["ed25519"]],
];

const BAD: readonly [string, string[]][] = [
  ["RSA of 1024 bits", ["rsa:1024"]],
  ["secp256k1", ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"]],
  ["Ed448", ["ed448"]],
];

for (const [kind, newkey] of GOOD) {
  test(`a key of ${kind} can be served`, newkey, async (pair) => {
    await secureContextOf(pair);
  });
}

for (const [kind, newkey] of BAD) {
  test(`a key of ${kind} is named, and not met by the first client`, newkey, async (pair) => {
    await assert.rejects(secureContextOf(pair), {
      name: "CertificateError",
      message: /^CXG_TLS_KEY is of a kind that the runtime cannot serve \(/,
    });
  });
}

async function make(newkey: string[]): Promise<Pair> {
  const directory = await Deno.makeTempDir({ prefix: "cxg-key-" });
  try {
    const { success, stderr } = await new Deno.Command("openssl", {
      args: ["req", "-x509", "-newkey", ...newkey, "-nodes", "-days", "2", "-subj", "/CN=x"].concat(
        ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"],
        ["-keyout", `${directory}/key.pem`, "-out", `${directory}/cert.pem`],
      ),
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return {
      cert: await Deno.readTextFile(`${directory}/cert.pem`),
      key: await Deno.readTextFile(`${directory}/key.pem`),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
