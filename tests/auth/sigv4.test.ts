import assert from "node:assert/strict";
import { parseAmzDate, parseClaim, signatureOf } from "../../src/auth/sigv4.ts";

// AWS's own test suite for Signature Version 4: its key pair, region, service and time.
const SUITE = {
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
  service: "service",
};
const DATE = "20150830T123600Z";
const HOST = ["host", "example.amazonaws.com"] as const;
const AMZ_DATE = ["x-amz-date", DATE] as const;

const VECTORS = [
  {
    name: "get-vanilla",
    signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  },
  {
    name: "post-vanilla",
    method: "POST",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    name: "get-header-value-trim",
    headers: [HOST, ["my-header1", " value1"], ["my-header2", ' "a   b   c"'], AMZ_DATE] as const,
    signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  },
  {
    name: "get-unreserved",
    path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
  },
  {
    name: "get-utf8",
    path: "/\u1234",
    signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
  },
  {
    name: "post-x-www-form-urlencoded",
    method: "POST",
    headers: [["content-type", "application/x-www-form-urlencoded"], HOST, AMZ_DATE] as const,
    body: "Param1=value1",
    signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
  },
];

for (const { name, method = "GET", path = "/", headers, body = "", signature } of VECTORS) {
  Deno.test(`AWS's test suite: ${name}`, () => {
    const request = {
      method,
      path,
      headers: headers ?? [HOST, AMZ_DATE],
      body: new TextEncoder().encode(body),
      amzDate: DATE,
    };
    assert.equal(signatureOf(request, SUITE), signature);
  });
}

// What the released codex 0.171.0 sent with this pair and region.
const CODEX = { secretAccessKey: "abc", region: "us-east-1", service: "execute-api" };
const CODEX_DATE = "20261127T092511Z";
const CODEX_HOST = ["host", "127.0.0.1:39601"] as const;
const EXE_ID = "exe_0b1f7a30-1111-4222-8333-444444444444";

Deno.test("codex 0.171.0's register call", () => {
  const request = {
    method: "POST",
    path: `/cloud/environment/${EXE_ID}/direct/register`,
    headers: [["content-type", "application/json"], CODEX_HOST, [
      "x-amz-date",
      CODEX_DATE,
    ]] as const,
    body: new TextEncoder().encode('{"transport":"direct_jsonrpc_v1"}'),
    amzDate: CODEX_DATE,
  };
  assert.equal(
    signatureOf(request, CODEX),
    "f5465ed142b0db353727f0ba15c8c1e75f330d4fee49cb5eb734ad1e361d94f7",
  );
});

Deno.test("codex 0.171.0's upgrade", () => {
  const request = {
    method: "GET",
    path: `/codex-exec/${EXE_ID}`,
    headers: [CODEX_HOST, ["x-amz-date", CODEX_DATE]] as const,
    body: new Uint8Array(),
    amzDate: CODEX_DATE,
  };
  assert.equal(
    signatureOf(request, CODEX),
    "ec957c7a86f5b069eff989b308549a976157f9f1c0565e2001b52d1ffebabd0b",
  );
});

const CREDENTIAL = "AKID/20261127/us-east-1/execute-api/aws4_request";
const SIGNATURE = "0123456789abcdef".repeat(4);
const CLAIM = `AWS4-HMAC-SHA256 Credential=${CREDENTIAL}, SignedHeaders=host;x-amz-date, ` +
  `Signature=${SIGNATURE}`;

Deno.test("a well-formed Authorization is read into its parts", () => {
  assert.deepEqual(parseClaim(CLAIM), {
    accessKeyId: "AKID",
    day: "20261127",
    region: "us-east-1",
    service: "execute-api",
    signedHeaders: "host;x-amz-date",
    signature: SIGNATURE,
  });
});

Deno.test("an Authorization of any other form is none", () => {
  const changed = (from: string, to: string) => {
    const text = CLAIM.replace(from, to);
    assert.notEqual(text, CLAIM);
    return text;
  };
  for (
    const authorization of [
      "",
      "Bearer abc",
      changed("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
      changed("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
      changed("AWS4-HMAC-SHA256", "aws4-hmac-sha256"),
      changed("aws4_request", "aws5_request"),
      changed("/aws4_request", ""),
      changed("us-east-1/", ""),
      changed("us-east-1", ""),
      changed("us-east-1", "us/east"),
      changed("us-east-1", "us east"),
      changed("AKID", ""),
      changed("AKID", "A/B"),
      changed("20261127", "2026112"),
      changed("20261127", "2026-11-27"),
      changed("host;x-amz-date", ""),
      changed("host;x-amz-date", "Host;x-amz-date"),
      changed("host;x-amz-date", "host x-amz-date"),
      changed("Signature=0", "Signature="),
      changed("Signature=0", "Signature=00"),
      changed("Signature=0", "Signature=g"),
      changed("Signature=0123456789abcdef", "Signature=0123456789ABCDEF"),
      changed("Signature=", "Signatur="),
      `${CLAIM}, ${CLAIM}`,
      `${CLAIM} `,
      ` ${CLAIM}`,
      `${CLAIM}, Signature=${SIGNATURE}`,
    ]
  ) assert.equal(parseClaim(authorization), undefined, authorization);
});

Deno.test("x-amz-date is a time in basic form, to the second, in UTC", () => {
  assert.equal(parseAmzDate("20261127T092511Z"), Date.UTC(2026, 10, 27, 9, 25, 11));
  assert.equal(parseAmzDate("20280229T235959Z"), Date.UTC(2028, 1, 29, 23, 59, 59));
  for (
    const value of [
      "",
      "20261127T092511",
      "20261127T092511z",
      "20261127T0925Z",
      "2026-11-27T09:25:11Z",
      "20261127T092511.000Z",
      "20261127T092511+0000",
      "20260231T092511Z",
      "20261301T092511Z",
      "20261127T240000Z",
      "20261127T096011Z",
      "20261127T092511Z, 20261127T092511Z",
      "Fri, 27 Nov 2026 09:25:11 GMT",
    ]
  ) assert.equal(parseAmzDate(value), undefined, value);
});
