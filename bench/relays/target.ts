import type { Ends } from "./load_generator.ts";

/** The names of what is measured. */
export const TARGETS = [
  "exclusive",
  "relay",
  "exclusive-beside",
  "relay-beside",
  "deno",
  "go",
  "ws",
  "nginx64k",
  "nginx",
] as const;

/** One of {@linkcode TARGETS}. */
export type TargetName = typeof TARGETS[number];

/** What each is called in a table. */
export const TITLES: Readonly<Record<TargetName, string>> = {
  exclusive: "exclusive bridge",
  relay: "relay bridge",
  "exclusive-beside": "exclusive bridge, the other build",
  "relay-beside": "relay bridge, the other build",
  deno: "bare Deno relay",
  go: "Go relay (nhooyr)",
  ws: "Node relay (ws)",
  nginx64k: "nginx, 64 KiB buffers",
  nginx: "nginx, as it comes",
};

/** Something that stands between harnesses and what echoes, in a process of its own. */
export interface Target extends AsyncDisposable {
  readonly name: TargetName;
  /** The process that moves the frames. */
  readonly pid: number;
  /** Whether text passes: relay bridges carry binary frames only. */
  readonly takesText: boolean;
  /** The websockets to dial for so many bridges, of their own. */
  ends(bridges: number): Promise<Ends>;
}
