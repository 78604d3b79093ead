/**
 * Whether a data directory is its owner's alone. Who can write into it can put files of their own in place of
 * the gateway's; who can read its secrets can be the gateway.
 *
 * @module
 */
import { shellWord } from "../text/shell_word.ts";
import { DataDirectoryError } from "./database.ts";

/** Bits of a mode: write, and read or write, for the group and for others. */
const WRITABLE = 0o022;
const ACCESSIBLE = 0o066;

/** What the gateway keeps in there, and may be there. */
const DIRECTORIES = ["pgdata", "tls"];
const SECRET_FILES = ["secrets.json", "tls/ca-key.pem", "tls/key.pem"];
const OTHER_FILES = [
  "gateway.json",
  "lock",
  "serving.lock",
  "tls/ca.pem",
  "tls/cert.pem",
  "tls/lock",
];

/**
 * Looks at a data directory, which may be a link itself, and at what the gateway keeps in it; what is not
 * there is well. Since nobody else can write into it, it stays as it was found.
 *
 * @throws {DataDirectoryError} naming the first that others may write to, or read where it is secret, or that
 * is a link or of another kind, and what to do about it
 */
export function checkDataDirectory(directory: string): void {
  const whole = look(() => Deno.statSync(directory));
  // What is wrong with one that is none, whoever makes it says.
  if (whole === undefined || !whole.isDirectory) return;
  if (isOpen(whole, WRITABLE)) {
    throw new DataDirectoryError(
      `others may write to the data directory ${directory}: chmod go-w ${shellWord(directory)}`,
    );
  }
  for (const name of DIRECTORIES) check(`${directory}/${name}`, "a directory", WRITABLE);
  for (const name of SECRET_FILES) check(`${directory}/${name}`, "a plain file", ACCESSIBLE);
  for (const name of OTHER_FILES) check(`${directory}/${name}`, "a plain file", WRITABLE);
}

/**
 * The text of a file in a data directory, if it is there and the directory is as {@linkcode checkDataDirectory}
 * wants it.
 *
 * @throws {DataDirectoryError} when the directory is not
 * @throws what the file system throws when the file cannot be read
 */
export function readFrom(directory: string, name: string): string | undefined {
  const file = `${directory}/${name}`;
  try {
    Deno.lstatSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  checkDataDirectory(directory);
  return Deno.readTextFileSync(file);
}

function check(path: string, kind: "a directory" | "a plain file", forbidden: number): void {
  const found = look(() => Deno.lstatSync(path));
  if (found === undefined) return;
  if (found.isSymlink) {
    throw new DataDirectoryError(
      `${path} is a symbolic link, and none is followed in a data directory: put ${kind} in its place`,
    );
  }
  if (!(kind === "a directory" ? found.isDirectory : found.isFile)) {
    throw new DataDirectoryError(`${path} is not ${kind}: move it away`);
  }
  if (!isOpen(found, forbidden)) return;
  const [may, chmod] = forbidden === WRITABLE ? ["write to", "go-w"] : ["read", "600"];
  throw new DataDirectoryError(`others may ${may} ${path}: chmod ${chmod} ${shellWord(path)}`);
}

/** Whether the group or others have one of these rights; not known where files have no mode. */
function isOpen({ mode }: Deno.FileInfo, rights: number): boolean {
  return mode !== null && (mode & rights) !== 0;
}

/** What cannot be looked at cannot be opened either, and whoever tries says why. */
function look(stat: () => Deno.FileInfo): Deno.FileInfo | undefined {
  try {
    return stat();
  } catch {
    return undefined;
  }
}
