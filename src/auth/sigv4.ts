/**
 * AWS Signature Version 4, the checking side, as far as codex signs with it: the signature stands in
 * `Authorization`, the request has no query, and the SHA-256 of its body is part of what is signed.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @module
 */
import { createHash, createHmac } from "node:crypto";

const ALGORITHM = "AWS4-HMAC-SHA256";

/** What `Authorization` says of a signature. */
export interface SignatureClaim {
  readonly accessKeyId: string;
  /** The day of the credential's scope, as `20261231`. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  /** The names of the signed headers, as they came: `host;x-amz-date`. */
  readonly signedHeaders: string;
  /** 64 hexadecimal digits. */
  readonly signature: string;
}

/** What is signed. */
export interface SignedRequest {
  readonly method: string;
  /** The path as it was sent, percent-encoded. */
  readonly path: string;
  /** The signed headers: lower-case names and their values, in the order of the names. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** When it was signed: the value of `x-amz-date`. */
  readonly amzDate: string;
}

/** With what, and for what, it is signed. */
export interface SigningScope {
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: string;
}

/** Whether a request is signed, rightly or not. */
export function isSigned(req: Request): boolean {
  return (req.headers.get("authorization") ?? "").startsWith(`${ALGORITHM} `);
}

const CLAIM = new RegExp(
  `^${ALGORITHM} +Credential=([^/,\\s]+)/(\\d{8})/([^/,\\s]+)/([^/,\\s]+)/aws4_request, *` +
    "SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$",
);

/**
 * Reads the value of `Authorization`.
 *
 * @returns `undefined` when it is of another form
 */
export function parseClaim(authorization: string): SignatureClaim | undefined {
  const [, accessKeyId, day, region, service, signedHeaders, signature] =
    CLAIM.exec(authorization) ?? [];
  if (signature === undefined) return undefined;
  return {
    accessKeyId: accessKeyId!,
    day: day!,
    region: region!,
    service: service!,
    signedHeaders: signedHeaders!,
    signature,
  };
}

/**
 * Reads the value of `x-amz-date`.
 *
 * @returns unix milliseconds; `undefined` when it is no time in the form `20261231T235959Z`
 */
export function parseAmzDate(value: string): number | undefined {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(value) ?? [];
  const [year, month, day, hour, minute, second] = parts;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) return undefined;
  // The 31st of February is no time, though the language takes it for one in March.
  return new Date(ms).toISOString().replaceAll(/[-:]|\.000/g, "") === value ? ms : undefined;
}

/** The signature of a request, in lower-case hexadecimal. */
export function signatureOf(request: SignedRequest, scope: SigningScope): string {
  const { method, path, headers, body, amzDate } = request;
  const day = amzDate.slice(0, 8);
  const canonical = [
    method,
    encodePath(path),
    "",
    ...headers.map(([name, value]) => `${name}:${value.trim().replaceAll(/ +/g, " ")}`),
    "",
    headers.map(([name]) => name).join(";"),
    sha256(body),
  ].join("\n");
  const credentialScope = `${day}/${scope.region}/${scope.service}/aws4_request`;
  const toSign = [ALGORITHM, amzDate, credentialScope, sha256(canonical)].join("\n");
  let key: string | Uint8Array = `AWS4${scope.secretAccessKey}`;
  for (const part of [day, scope.region, scope.service, "aws4_request"]) key = hmac(key, part);
  return hmac(key, toSign).toString("hex");
}

/** Each segment of the path once more percent-encoded, as every service but S3 has it. */
function encodePath(path: string): string {
  return path.split("/").map((segment) =>
    encodeURIComponent(segment).replaceAll(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    )
  ).join("/");
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(key: string | Uint8Array, text: string) {
  return createHmac("sha256", key).update(text).digest();
}
