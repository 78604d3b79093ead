/**
 * Request bodies: read within a limit, parsed, and checked field by field.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { nearest } from "../text/nearest.ts";
import { HttpError } from "./context.ts";
import { shownId } from "./wording.ts";

/** The largest request body, in bytes: the largest that codex sends is 1.8 KB. */
export const MAX_BODY_BYTES = 64 * 1024;

/** How long a body may take to come, in milliseconds. */
const BODY_TIMEOUT_MS = 10_000;

/** How deep an object may be nested: what works through one level by level must not run out of stack. */
const MAX_DEPTH = 8;

/** A JSON object as it came, its fields unchecked. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a JSON object; an empty body counts as `{}`.
 *
 * @throws {HttpError} 413 over the limit, 408 when it takes too long to come, 400 when it is not a
 * JSON object in UTF-8
 */
export async function readJsonObject(req: Request): Promise<JsonObject> {
  return parseJsonObject(await readBytes(req, MAX_BODY_BYTES));
}

/**
 * Reads a JSON object that has no other keys than these: a key that is misspelt would silently do nothing. For
 * the API alone; codex of any release may send what this gateway does not know.
 *
 * @param keys what there is
 * @param ignored what the original's callers send, and nothing is done with
 * @throws {HttpError} 400 naming an unknown key and the nearest that there is
 * @throws what {@linkcode readJsonObject} throws
 */
export async function readFields(
  req: Request,
  keys: readonly string[],
  ignored: readonly string[] = [],
): Promise<JsonObject> {
  const body = await readJsonObject(req);
  const known = [...keys, ...ignored];
  const unknown = Object.keys(body).find((key) => !known.includes(key));
  if (unknown === undefined) return body;
  const name = shownId(unknown);
  const like = nearest(name, keys);
  throw new HttpError(
    400,
    `the body has an unknown key ${JSON.stringify(name)}; ${
      like === undefined ? `it takes ${keys.join(", ")}` : `did you mean ${like}?`
    }`,
  ).because("bad_body");
}

/**
 * Parses a body that was read; an empty one counts as `{}`.
 *
 * @throws {HttpError} 400 when it is not a JSON object in UTF-8
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "the body could not be read as UTF-8").because("bad_body");
  }
  if (text === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpError(400, "the body is not valid JSON").because("bad_body");
  }
  if (!isJsonObject(value)) {
    throw new HttpError(400, "the body must be a JSON object").because("bad_body");
  }
  return value;
}

/**
 * Reads a body as it came.
 *
 * @param maxBytes the most that it may have
 * @throws {HttpError} 413 over the limit, 408 when it takes too long to come, 400 when it breaks off
 */
export async function readBytes(req: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = new HttpError(413, `the body must be at most ${maxBytes} bytes`);
  if (Number(req.headers.get("content-length")) > maxBytes) throw tooLarge;
  if (req.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let isLate = false;
  const reader = req.body.getReader();
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, BODY_TIMEOUT_MS);
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.length;
      if (length > maxBytes) throw tooLarge;
      chunks.push(part.value);
    }
    if (!isLate) return Buffer.concat(chunks);
  } catch (error) {
    if (error === tooLarge) throw error;
    if (!isLate) throw new HttpError(400, "the body could not be read").because("bad_body");
  } finally {
    clearTimeout(timer);
  }
  // What still comes of it must not be taken for the next request.
  throw new HttpError(408, "the body took too long to come", { connection: "close" });
}

/**
 * An optional text field.
 *
 * @returns "" when it is absent or null
 * @throws {HttpError} 400 naming the field when it is no text, too long, or has control characters
 */
export function optionalText(body: JsonObject, field: string, maxLength: number): string {
  const value = body[field] ?? "";
  if (typeof value !== "string") throw new HttpError(400, `${field} must be a string`);
  return checkText(value, field, maxLength);
}

/**
 * A required text field.
 *
 * @throws {HttpError} 400 naming the field
 */
export function requiredText(body: JsonObject, field: string, maxLength: number): string {
  const value = optionalText(body, field, maxLength);
  if (value === "") throw new HttpError(400, `${field} is required`);
  return value;
}

/**
 * An optional true or false; false when absent.
 *
 * @throws {HttpError} 400 naming the field
 */
export function optionalBoolean(body: JsonObject, field: string): boolean {
  const value = body[field] ?? false;
  if (typeof value !== "boolean") throw new HttpError(400, `${field} must be true or false`);
  return value;
}

/**
 * A required JSON object, not nested deeper than {@linkcode MAX_DEPTH} levels.
 *
 * @throws {HttpError} 400 naming the field
 */
export function requiredObject(body: JsonObject, field: string): JsonObject {
  const value = body[field];
  if (!isFlatObject(value)) {
    throw new HttpError(400, `${field} must be a JSON object of at most ${MAX_DEPTH} levels`);
  }
  return value;
}

/** Whether a value is a JSON object of at most {@linkcode MAX_DEPTH} levels. */
export function isFlatObject(value: unknown): value is JsonObject {
  return isJsonObject(value) && hasDepth(value, MAX_DEPTH);
}

/** Whether a value has at most so many levels; looks no deeper, however deep it is. */
function hasDepth(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => hasDepth(inner, levels - 1));
}

/**
 * Checks a text that came from outside: not too long, well-formed, and without control characters
 * (a line break and a tab may stand in prose).
 *
 * @param name what the error calls it
 * @throws {HttpError} 400
 */
export function checkText(value: string, name: string, maxLength: number): string {
  if (value.length > maxLength) {
    throw new HttpError(400, `${name} must be at most ${maxLength} characters`);
  }
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(value) || !value.isWellFormed()) {
    throw new HttpError(400, `${name} must not have control characters`);
  }
  return value;
}

/**
 * Checks an identifier: 1 to 128 visible characters.
 *
 * @param name what the error calls it
 * @throws {HttpError} 400
 */
export function checkId(value: string, name: string): string {
  if (value === "") throw new HttpError(400, `${name} is required`);
  if (value.length > 128) throw new HttpError(400, `${name} must be at most 128 characters`);
  if (!/^[\p{L}\p{N}\p{M}\p{P}\p{S}]+$/u.test(value)) {
    throw new HttpError(400, `${name} must not have blanks or control characters`);
  }
  return value;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
