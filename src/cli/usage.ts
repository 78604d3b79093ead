import { programName } from "./program_name.ts";

const USAGE: Readonly<Record<string, string>> = {
  "": `codex-exec-gateway: joins codex harnesses to executors that dial in

usage: PROGRAM COMMAND

  serve             run the gateway; so does no command at all (deno task -q start)
  executor add      create an executor and bind it to a workspace
  executor list     all executors, or those of a workspace
  executor show     one of them
  executor bind     let a workspace reach one; unbind takes that back
  executor default  make one a workspace's default
  executor rename   give one another name
  executor rotate   give one another registration token; the old one ends
  executor remove   remove one
  token mint        mint a capability token for a turn
  turn revoke       make a turn's tokens worthless
  workspace revoke  the same for all of a workspace's that were issued until now
  status            what runs, and what is connected to it
  version           of this program
  db adopt          make the Go original's database this gateway's
  join              stand for a gateway elsewhere on an executor's loopback (deno task -q join)

An executor is named by its id, a unique beginning of it, or its name. Each takes --help. All but serve, token mint, db adopt and join call the running gateway.
Exit codes: 0 done, 1 it failed (what and why is on standard error), 2 wrong usage.
`,
  "serve": `usage: PROGRAM serve

Runs the gateway until SIGTERM or SIGINT. With nothing set it keeps an embedded database and
generated secrets in ./data and listens on 127.0.0.1:6060. docs/operate.md lists the variables.
`,
  "executor add": `usage: PROGRAM executor add --name NAME --workspace ID [options]

Creates an executor, binds it to the workspace, and prints its id, its registration token (shown
this once) and the command to run on that machine.

  --name NAME          its display name
  --workspace ID       the workspace that may reach it
  --default            make it the workspace's default executor
  --description TEXT   what an agent reads about it (by default its name)
  --cwd DIR            the directory commands start in
  --user ID            on whose behalf (by default "local")
  --direct             print a key pair, also shown this once, and the line of a direct executor
                       (codex 0.171 and later)
  --join-file FILE     write all that the executor's machine needs into a new file (mode 0600), to be
                       run there by sh; - for standard output
`,
  "executor list": `usage: PROGRAM executor list [--workspace ID] [--connected]

All executors, or those of a workspace in the order of binding, and which are connected now. Times are UTC.
`,
  "executor show": `usage: PROGRAM executor show EXECUTOR

All that is known of one executor.
`,
  "executor bind": `usage: PROGRAM executor bind EXECUTOR --workspace ID [--default]

Lets the workspace reach the executor.
`,
  "executor unbind": `usage: PROGRAM executor unbind EXECUTOR --workspace ID

Takes that back. What runs goes on, and tokens that name the executor are good until they expire.
`,
  "executor default": `usage: PROGRAM executor default EXECUTOR --workspace ID

Makes the executor the workspace's default, in place of the one before it.
`,
  "executor rename": `usage: PROGRAM executor rename EXECUTOR NAME

Gives the executor another display name.
`,
  "executor rotate": `usage: PROGRAM executor rotate EXECUTOR

Gives the executor another registration token and prints it, this once, with the lines to start it by.
The old one ends, and so does whoever is connected by it.
`,
  "executor remove": `usage: PROGRAM executor remove EXECUTOR

Removes the executor, its bindings and its connection.
`,
  "status": `usage: PROGRAM status

What runs, since when, on which database, and what is connected to it.
`,
  "token mint": `usage: PROGRAM token mint --workspace ID --exe EXE_ID [--exe EXE_ID ...] [options]

Mints a capability token and prints it with the lines that point a codex harness at the executor.
Needs the gateway's secret; the running gateway is asked what it knows of the executors, if it answers.

  --ttl DURATION       how long it is good for: 90s, 15m, 1h, 2d (by default 1h)
  --turn ID            the turn it belongs to (by default a new one)
  --environments       print the $CODEX_HOME/environments.toml of a turn that reaches all of them,
                       and nothing else (codex 0.160 and later; direct executors)
`,
  "turn revoke": `usage: PROGRAM turn revoke TURN_ID [--exp TIME]

Refuses the turn's tokens from now on, for as long as one can live (CXG_MAX_TOKEN_TTL), and ends its bridges.

  --exp TIME           for longer: unix seconds, or a duration such as 30d
`,
  "workspace revoke": `usage: PROGRAM workspace revoke WORKSPACE_ID

Refuses the workspace's tokens that were issued until now, and ends the bridges that were opened with them.
Tokens that are issued later are good.
`,
  "db adopt": `usage: PROGRAM db adopt [--dry-run]

Makes the PostgreSQL database of the Go original, which CXG_DATABASE_URL names, one of this gateway's:
executors, their registration tokens and bindings are brought over in one transaction, and the
original's tables are kept under other names. Stop the original first. A second time does nothing.

  --dry-run            say what would be done, and change nothing
`,
};

/** The options that every command takes, printed below its own. */
export const COMMON_USAGE = `
  --url URL            the gateway, or its CXG_INTERNAL_PORT if it has one (by default where it said
                       that it listens, else those variables and CXG_HOST, CXG_PORT)
  --ca FILE            the authority that signed its certificate, PEM (by default the gateway's own,
                       where it made one in this data directory, and the public ones)
  --json               print one JSON object, for programs
  --help               this text
`;

/** What `--help` prints for a command, and for the program itself under "". */
export function usageOf(command: string): string {
  return USAGE[command]!.replaceAll("PROGRAM", programName());
}
