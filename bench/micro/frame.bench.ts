import { Body, readFrame } from "../../src/switchboard/relay_frame.ts";
import { frame } from "../../tests/support/relay.ts";

const streamId = crypto.randomUUID();
const small = frame(streamId, "data", new Uint8Array(1024));
const large = frame(streamId, "data", new Uint8Array(65_536));
const blind = frame("é".repeat(18), "data", new Uint8Array(1024));

Deno.bench("stream id of a frame of 1 KiB", { group: "frame", baseline: true }, () => {
  read(small);
});

Deno.bench("stream id of a frame of 64 KiB", { group: "frame" }, () => {
  read(large);
});

Deno.bench("stream id that is not ASCII", { group: "frame" }, () => {
  read(blind);
});

function read(bytes: Uint8Array): void {
  const header = readFrame(bytes);
  if (typeof header === "string" || header.body !== Body.data) throw new Error("not a data frame");
}
