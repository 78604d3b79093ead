import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CapturedLogs } from "../support/logs.ts";
import { runTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

/** Everything that the gateway in this process passes on, and all it logs. */
class Tap implements Disposable {
  readonly #frames: Buffer[] = [];
  readonly #logs = new CapturedLogs();
  readonly #send = WebSocket.prototype.send;

  constructor() {
    const [frames, send] = [this.#frames, this.#send];
    WebSocket.prototype.send = function (data) {
      frames.push(
        Buffer.from(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer)),
      );
      send.call(this, data);
    };
  }

  get counts(): { frames: number; lines: number } {
    return { frames: this.#frames.length, lines: this.#logs.records.length };
  }

  /** Where a text turns up: as it is, or in base64 whichever way its bytes fall. */
  find(text: string): { frames: number; lines: number } {
    const spellings = [text, ...[0, 1, 2].map((shift) => base64Core(text, shift))];
    return {
      frames: this.#frames.filter((frame) => spellings.some((s) => frame.includes(s))).length,
      lines: this.#logs.records.map((record) => JSON.stringify(record))
        .filter((line) => spellings.some((s) => line.includes(s))).length,
    };
  }

  [Symbol.dispose](): void {
    WebSocket.prototype.send = this.#send;
    this.#logs[Symbol.dispose]();
  }
}

/** The part of a text's base64 that does not depend on its neighbours. */
function base64Core(text: string, shift: number): string {
  const encoded = Buffer.from("\0".repeat(shift) + text).toString("base64");
  return encoded.slice(4, -4);
}

for (const pair of PAIRS) {
  const noise = pair.kind === "noise";
  const promise = noise
    ? "what passes is in no frame and no log line that the gateway saw"
    : "what passes is in the frames, which shows that the tap finds it, and in no log line";
  scenario(pair, promise, async (rig) => {
    using tap = new Tap();
    const marker = `marker-${crypto.randomUUID()}`;
    const { outputs, stderr } = await runTurn({
      ...await rig.turn(),
      commands: [`echo ${marker}`],
    });
    assert.deepEqual(outputs, [`${marker}\n`], stderr);
    assert.ok(tap.counts.frames > 5 && tap.counts.lines >= 2, JSON.stringify(tap.counts));
    const found = tap.find(marker);
    assert.equal(found.lines, 0);
    if (noise) assert.equal(found.frames, 0);
    else assert.ok(found.frames > 0);
  });
}
