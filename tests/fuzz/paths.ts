import { checkId, checkText } from "../../src/http/body.ts";
import { HttpError } from "../../src/http/context.ts";
import { findRoute, ROUTES } from "../../src/routes.ts";
import { mutateText, oddText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { hold, showJson, type Target } from "./target.ts";

/** A request's first line, as the router gets it. */
export interface PathInput {
  method: string;
  path: string;
}

/** Methods, usual and not. */
export const METHODS: readonly string[] = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "get",
  "PROPFIND",
  "X",
  "__proto__",
];

/** An id as it may stand in a path: nearly always one that is odd. */
export function oddPathId(random: Random): string {
  const text = random.chance(0.1) ? "x".repeat(random.length(300)) : oddText(random);
  switch (random.below(4)) {
    case 0:
      return encodeURIComponent(text.toWellFormed());
    case 1:
      return mutateText(random, encodeURIComponent(text.toWellFormed()));
    case 2:
      return random.bytes(random.length(40)).toHex().replaceAll(/../g, "%$&");
    default:
      return text;
  }
}

/** Paths and the ids in them: they are found or refused with 400, 404 or 405, and nothing else. */
export class Paths implements Target<PathInput> {
  readonly name = "paths";
  readonly share = 150;
  readonly parallel = 1;

  generate(random: Random): PathInput {
    const { method, path } = random.pick(ROUTES);
    let made = path.replaceAll(/:\w+/g, () => oddPathId(random));
    if (random.chance(0.25)) made = mutateText(random, made);
    // The gateway reads it out of a URL; the router alone has to bear any text.
    if (random.chance(0.7)) made = normalized(made);
    return { method: random.chance(0.8) ? method : random.pick(METHODS), path: made };
  }

  check({ method, path }: PathInput): void {
    let params: Readonly<Record<string, string>>;
    try {
      const match = findRoute(method, path);
      params = match.params;
      const asked = method === "HEAD" ? "GET" : method;
      hold(match.route.method === asked, `the route takes ${method}`);
      // The pattern resolves dots, which the path of a URL, and it begins with "/", has no more.
      const isFit = !path.startsWith("/") || normalized(path) !== path ||
        fits(match.route.path, path, params);
      hold(isFit, "the parameters are those of the path");
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      hold([400, 404, 405].includes(error.status), `${error.status} is no answer of the router`);
      hold(error.status !== 405 || error.headers.allow !== undefined, "405 comes with Allow");
      params = { path };
    }
    for (const value of Object.values(params)) checkTexts(value);
  }

  show(input: PathInput): string {
    return showJson(input);
  }
}

/** The path as `new URL` makes it. */
function normalized(path: string): string {
  try {
    return new URL(`http://h${path}`).pathname;
  } catch {
    return path;
  }
}

/** Whether the path is the route's with these parameters. */
function fits(route: string, path: string, params: Readonly<Record<string, string>>): boolean {
  const names = route.split("/");
  const parts = path.split("/");
  return names.length === parts.length &&
    names.every((name, i) =>
      name.startsWith(":")
        ? params[name.slice(1)] === decodeURIComponent(parts[i]!) && parts[i] !== ""
        : name === parts[i]
    );
}

function checkTexts(value: string): void {
  const isId = value !== "" && value.length <= 128 &&
    [...value].every((char) => !/[\p{C}\p{Z}]/u.test(char));
  hold(accepts(() => checkId(value, "id"), value) === isId, `an id is checked: ${isId}`);
  // deno-lint-ignore no-control-regex
  const isText = value.length <= 256 && !/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(value) &&
    value.isWellFormed();
  hold(accepts(() => checkText(value, "t", 256), value) === isText, `a text is checked: ${isText}`);
}

function accepts(check: () => string, value: string): boolean {
  try {
    hold(check() === value, "what is checked is not changed");
    return true;
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    hold(error.status === 400, "what is wrong is answered with 400");
    return false;
  }
}
