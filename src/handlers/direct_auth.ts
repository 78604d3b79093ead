/**
 * The calls of direct executors (codex 0.171 with `--remote-transport direct`), which carry no token:
 * each is signed, the websocket's upgrade too.
 *
 * @module
 */
import { secretsEqual } from "../auth/constant_time.ts";
import { parseAmzDate, parseClaim, type SignatureClaim, signatureOf } from "../auth/sigv4.ts";
import type { Config } from "../config.ts";
import { log } from "../log/logging.ts";
import type { Registration } from "../model.ts";
import type { Services } from "../services.ts";
import {
  HttpError,
  type RejectionReason,
  type RequestContext,
  unavailable,
} from "../http/context.ts";
import { refuseAfter } from "./registration_auth.ts";

/** The service that codex signs for unless it is told otherwise. */
const SERVICE = "execute-api";

/** How far the clock of who signs may be off, in milliseconds: as much as AWS allows. */
const CLOCK_TOLERANCE_MS = 300_000;

/** Stands in for the token's hash of an executor that does not exist. */
const NOBODYS_HASH = "";

/** What a call must have signed, and how it is refused when the clocks are apart. */
interface Call {
  /** The headers, in the order of their names. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
  readonly clocksApart: (message: string) => HttpError;
}

/** A signature that is right. */
interface RightSignature {
  /** What the pair stands for that it was made with. */
  readonly registrationId: string;
  readonly signature: string;
  /** The bcrypt hash of the registration token that the pair is made of. */
  readonly tokenHash: string;
}

/**
 * Lets a direct executor's register call pass. A call that somebody replays within the tolerance is let
 * pass too: it changes nothing, and its answer has no secret.
 *
 * @throws {HttpError} 401, or 429 after too many wrong signatures
 * @returns the id of the registration that it stands for
 */
export async function requireSignedCall(
  services: Services,
  context: RequestContext,
  exeId: string,
  body: Uint8Array,
): Promise<string> {
  const headers = ["content-type", "host", "x-amz-date"];
  const call = { headers, body, clocksApart: (message: string) => refused(message, "expired") };
  return (await requireSignature(services, context, exeId, call)).registrationId;
}

/**
 * Lets a direct executor's websocket pass, whose socket is exclusive.
 *
 * Its upgrade is good once: played again, it would put whoever has seen it in the executor's place.
 * But what a machine signs twice within a second is the same signature, so the answer to the second is
 * 503, on which codex comes again and signs anew, and not 401, on which its process ends. For the same
 * reason it is 503 when the clocks are apart: a machine that has slept puts its clock right by itself.
 *
 * @throws {HttpError} 401, or 429 after too many wrong signatures, or 503
 */
export async function requireSignedUpgrade(
  services: Services,
  context: RequestContext,
  exeId: string,
): Promise<{ registration: Registration; tokenHash: string; useUp: () => () => void }> {
  const { usedSignatures } = services;
  const { registrationId, signature, tokenHash } = await requireSignature(
    services,
    context,
    exeId,
    {
      headers: ["host", "x-amz-date"],
      body: new Uint8Array(),
      clocksApart: unavailable,
    },
  );
  return {
    registration: {
      registration_id: registrationId,
      kind: "exclusive",
      direct: true,
    },
    tokenHash,
    useUp() {
      // Whatever its date, it is refused for that by then.
      const exp = (Date.now() + 2 * CLOCK_TOLERANCE_MS) / 1000;
      if (usedSignatures.use(signature, exp)) return () => usedSignatures.giveBack(signature);
      throw unavailable("this signature was used before; sign anew, and try again")
        .because("signature_used");
    },
  };
}

/**
 * Checks a signature. What is wrong with its form is told to whoever asks; beyond that an executor that
 * does not exist gets the same answer as a wrong signature, after the same work.
 */
async function requireSignature(
  services: Services,
  context: RequestContext,
  exeId: string,
  call: Call,
): Promise<RightSignature> {
  const { store, directKeys, wrongTokens } = services;
  const { req, url, source } = context;
  const claim = requireClaim(req, url, call.headers);
  const amzDate = req.headers.get("x-amz-date") ?? "";
  const signedAt = parseAmzDate(amzDate);
  if (signedAt === undefined || claim.day !== amzDate.slice(0, 8)) {
    throw refused(
      "x-amz-date is not as 20261231T235959Z, or of another day than the credential; sign anew",
    );
  }
  const hash = await store.getRegistrationTokenHash(exeId);
  const given = `${claim.accessKeyId} ${claim.signature}`;
  let registrationId: string | undefined;
  for (const keys of directKeys.accepted) {
    const pair = await keys.pairOf(exeId, hash ?? NOBODYS_HASH);
    for (const { host, path } of targetsOf(services.config, context)) {
      const signature = signatureOf({
        method: req.method,
        path,
        headers: call.headers.map((name) =>
          [name, name === "host" ? host : req.headers.get(name) ?? ""] as const
        ),
        body: call.body,
        amzDate,
      }, { secretAccessKey: pair.secret_access_key, region: claim.region, service: SERVICE });
      if (secretsEqual(given, `${pair.access_key_id} ${signature}`)) {
        registrationId = await keys.registrationIdOf(pair);
      }
    }
  }
  if (hash === undefined || registrationId === undefined) {
    refuseAfter(wrongTokens.count(exeId, source), "signatures");
    throw refused(
      "unknown executor, or a signature that its key pair did not make; start codex exec-server with " +
        "the id and the pair that `executor add --direct` printed, or add the executor anew",
    ).because(hash === undefined ? "unknown_executor" : "wrong_signature");
  }
  // Only now: whose signature is wrong learns no more than that.
  refuseClocksApart(signedAt - Date.now(), exeId, call);
  return { registrationId, signature: claim.signature, tokenHash: hash };
}

/** @throws {HttpError} 401 for a signature of another form than codex gives it */
function requireClaim(req: Request, url: URL, headers: readonly string[]): SignatureClaim {
  const authorization = req.headers.get("authorization");
  if (authorization === null) {
    throw refused(
      "missing signature; start codex exec-server with --aws-sigv4",
      "missing_signature",
    ).because("signature_missing");
  }
  const claim = parseClaim(authorization);
  if (claim === undefined) {
    throw refused(
      "the Authorization header has no well-formed AWS Signature Version 4; sign as " +
        "codex exec-server --aws-sigv4 does",
    );
  }
  if (claim.service !== SERVICE) {
    throw refused(
      `the signature is not for the service ${SERVICE}; leave codex's --aws-service out`,
    );
  }
  if (claim.signedHeaders.split(";").includes("x-amz-security-token")) {
    throw refused("the key pair has no session token; unset AWS_SESSION_TOKEN");
  }
  const signed = headers.join(";");
  if (claim.signedHeaders !== signed) throw refused(`the wrong headers are signed; sign ${signed}`);
  if (url.search !== "") throw refused("a signed request has no query; leave it out");
  return claim;
}

/**
 * Where the request may have been sent to: here, as it came, and to the public base URL, where one is
 * set, whose host and path the proxy before the gateway need not have kept.
 */
function targetsOf(
  { publicWsBaseUrl }: Config,
  { req, url }: RequestContext,
): { host: string; path: string }[] {
  const targets = [{ host: req.headers.get("host") ?? url.host, path: url.pathname }];
  if (publicWsBaseUrl === undefined) return targets;
  const base = new URL(publicWsBaseUrl);
  targets.push({ host: base.host, path: base.pathname.replace(/\/$/, "") + url.pathname });
  return targets;
}

function refuseClocksApart(aheadMs: number, exeId: string, { clocksApart }: Call): void {
  if (Math.abs(aheadMs) <= CLOCK_TOLERANCE_MS) return;
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  const way = aheadMs > 0 ? "ahead of" : "behind";
  log.warn("an executor's clock is wrong, or the gateway's", {
    exe_id: exeId,
    minutes_ahead: Math.round(aheadMs / 60_000),
  });
  throw clocksApart(
    `the clock of executor ${exeId} is ${minutes} minutes ${way} the gateway's; ` +
      "set it right (5 minutes are allowed)",
  ).because("clocks_apart");
}

function refused(message: string, rejection: RejectionReason = "invalid_signature"): HttpError {
  return new HttpError(401, message, { "www-authenticate": "AWS4-HMAC-SHA256" }, rejection)
    .because("signature_malformed");
}
