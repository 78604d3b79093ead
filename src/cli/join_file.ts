/**
 * The join file: one shell script with all that an executor's machine needs, its token, the gateway's CA and
 * the program of `join`. The machine needs npm, and what npm brings: Node.
 *
 * @module
 */
import { SYSTEM_AUTHORITIES } from "./authorities.ts";
import { clearTextWarning, type ExecutorStart } from "./executor_start.ts";
import { JOIN_PROGRAM } from "./join_program.ts";
import { replaceFile } from "../data_dir/replace_file.ts";
import { shellWord } from "../text/shell_word.ts";
import { CommandError, print } from "./output.ts";
import { minorOf, NEWEST_TRIED, sayReleases } from "./releases.ts";

/** Ends each text in the script; no line of one is this. */
const END = "END_OF_JOIN_FILE_PART";

/** What a join file is made of. */
export interface JoinFileContent {
  /** What people call the executor. */
  readonly name: string;
  readonly exeId: string;
  /** The gateway's http:// or https:// base. */
  readonly url: string;
  readonly starts: readonly ExecutorStart[];
  /** The gateway's own CA, PEM, where it has one. */
  readonly caPem?: string;
}

/** A join file that is there, with nothing in it so far, or standard output. */
export class JoinFile {
  readonly #path: string;
  #isWritten = false;

  /**
   * Makes the file, so that nothing is asked of the gateway when it cannot be had. What is there already is
   * neither overwritten nor followed.
   *
   * @param path `-` for standard output
   * @throws {CommandError} when it is there already, or cannot be made
   */
  constructor(path: string) {
    this.#path = path;
    if (this.isStdout) return;
    try {
      Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close();
    } catch (error) {
      throw new CommandError(`cannot make ${path}: ${reason(error)}`);
    }
  }

  get isStdout(): boolean {
    return this.#path === "-";
  }

  /** @throws {CommandError} when it cannot be written */
  write(content: JoinFileContent): void {
    const script = joinScript(content);
    if (this.isStdout) return print(script.trimEnd());
    try {
      replaceFile(this.#path, script, 0o600);
    } catch (error) {
      throw new CommandError(`cannot write ${this.#path}: ${reason(error)}`);
    }
    this.#isWritten = true;
  }

  /** Removes the file unless it was written. */
  discard(): void {
    if (!this.isStdout && !this.#isWritten) Deno.removeSync(this.#path);
  }
}

/** The script. */
export function joinScript({ name, exeId, url, starts, caPem }: JoinFileContent): string {
  const warning = clearTextWarning(url);
  const withJoin = starts.some(({ viaJoin }) => viaJoin);
  const newestFirst = starts.toReversed();
  return `#!/bin/sh
# Lets the gateway at ${url}
# run commands on this machine, as executor ${comment(name)} (${exeId}).
#
#   sh FILE [RELEASE]
#
# RELEASE is of codex, such as 0.140.0, and is fetched by npx. Without it: the codex that the variable CODEX
# names, else the one on the PATH, else ${NEWEST_TRIED}. This file holds the executor's secret: whoever reads
# it can stand for this machine.
set -eu
umask 077

die() {
  printf 'join file: %s\\n' "$1" >&2
  exit 1
}

# npx passes no signal on to what it runs: it is asked where codex is, and that is run.
fetch() {
  command -v npx >/dev/null || die "npx is not on the PATH: it comes with npm"
  npx -y -p "@openai/codex@$1" -c 'command -v codex' || die "codex $1 cannot be fetched from npm"
}

if [ $# -gt 1 ]; then die "usage: sh FILE [RELEASE]"; fi
if [ $# -eq 1 ]; then
  program=$(fetch "$1")
elif [ -n "\${CODEX:-}" ]; then
  program=$CODEX
elif command -v codex >/dev/null; then
  program=codex
else
  program=$(fetch ${NEWEST_TRIED})
fi
release=$("$program" --version) || die "$program --version failed"
release=\${release##* }
case $release in
  0.*.*) minor=\${release#0.} minor=\${minor%%.*} ;;
  *) die "$release is no codex release such as ${NEWEST_TRIED}" ;;
esac
case $minor in
  '' | *[!0-9]*) die "$release is no codex release such as ${NEWEST_TRIED}" ;;
esac
${warning === undefined ? "" : `printf 'join file: warning: %s\\n' ${shellWord(warning)} >&2\n`}
codex= join=
directory=$(mktemp -d)
finish() {
  trap - EXIT HUP INT TERM
  for process in $codex $join; do kill "$process" 2>/dev/null || true; done
  wait
  rm -rf "$directory"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
${caPem === undefined ? "" : caPart(caPem)}${withJoin ? joinPart(url, caPem !== undefined) : ""}
${newestFirst.map((start, i) => branch(start, url, i === 0, caPem !== undefined)).join("")}else
  die "codex $release cannot be joined: take one of ${starts.map(sayReleases).join(", ")}"
fi

status=0
wait "$codex" || status=$?
exit "$status"
`;
}

/** Leaves in a file whom to trust, and a function that lets codex do so. */
function caPart(caPem: string): string {
  return `
${textFile("gateway-ca.pem", `${caPem.trim()}\n`)}
for file in "\${SSL_CERT_FILE:-}" ${SYSTEM_AUTHORITIES.join(" ")} "$directory/gateway-ca.pem"; do
  if [ -f "$file" ]; then
    cat "$file"
    echo
  fi
done > "$directory/authorities.pem"

# codex, and each command that it runs, takes this in place of the machine's own authorities.
trust_gateway() {
  SSL_CERT_FILE=$directory/authorities.pem
  export SSL_CERT_FILE
}
`;
}

/** A function that starts \`join\` and sets \`url\`. */
function joinPart(url: string, withCa: boolean): string {
  const files = Object.entries(JOIN_PROGRAM).map(([name, text]) => textFile(name, text));
  return `
start_join() {
  command -v node >/dev/null || die "node is not on the PATH: it comes with npm"
${files.join("")}  mkfifo "$directory/url"
  node "$directory/index.js" --gateway ${shellWord(url)} --port 0${
    withCa ? ' --ca "$directory/authorities.pem"' : ""
  } > "$directory/url" &
  join=$!
  # It says its URL once it has reached the gateway; what hinders it it says itself.
  read -r url < "$directory/url" || exit 1
  # A proxy would look for its own loopback.
  NO_PROXY=127.0.0.1\${NO_PROXY:+,$NO_PROXY}
  no_proxy=$NO_PROXY
  export NO_PROXY no_proxy
}
`;
}

function branch(
  { from, to, env, args, stdin, viaJoin }: ExecutorStart,
  url: string,
  isFirst: boolean,
  hasCa: boolean,
): string {
  const upTo = to === undefined ? "" : ` && [ "$minor" -le ${minorOf(to)} ]`;
  const first = viaJoin ? "  start_join\n" : hasCa ? "  trust_gateway\n" : "";
  const words = [
    ...Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`),
    `"$program" exec-server --remote ${viaJoin ? '"$url"' : shellWord(url)}`,
    ...args.map(shellWord),
  ].join(" ");
  const input = stdin === undefined ? "" : `printf '%s\\n' ${shellWord(stdin)} | `;
  return `${isFirst ? "if" : "elif"} [ "$minor" -ge ${minorOf(from)} ]${upTo}; then
  # ${sayReleases({ from, to })}
${first}  ${input}${words} &
  codex=$!
`;
}

/** A command that leaves a text in the script's own directory. */
function textFile(name: string, text: string): string {
  return `cat > "$directory/${name}" <<'${END}'\n${text}${END}\n`;
}

/** A text that ends with its line, whatever is in it. */
function comment(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, "?");
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.AlreadyExists) return "it is there already";
  if (error instanceof Deno.errors.NotCapable) {
    return "the task may write below the directory of deno.json only; name a file there, or - for " +
      "standard output";
  }
  return error instanceof Error ? error.message : String(error);
}
