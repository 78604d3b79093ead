import assert from "node:assert/strict";
import { LogQueue } from "../../src/log/log_queue.ts";

/** A sink that takes a write only when it is told to. */
class Reader {
  readonly #decoder = new TextDecoder();
  text = "";
  readonly #waiting: (() => void)[] = [];

  write(bytes: Uint8Array): Promise<number> {
    // Some of it, as a pipe does that is nearly full.
    const part = bytes.slice(0, 700);
    return new Promise((resolve) => {
      this.#waiting.push(() => {
        this.text += this.#decoder.decode(part, { stream: true });
        resolve(part.length);
      });
    });
  }

  /** Reads until nothing more comes. */
  async readAll(queue: LogQueue): Promise<void> {
    let done = false;
    const drained = queue.drained().then(() => done = true);
    while (!done) {
      this.#waiting.shift()?.();
      await new Promise((resolve) => setTimeout(resolve));
    }
    await drained;
  }
}

const dropLine = (dropped: number) => `dropped ${dropped}\n`;

Deno.test("lines come whole and in their order, however little is read at a time", async () => {
  const reader = new Reader();
  const queue = new LogQueue(reader, dropLine);
  const lines = Array.from({ length: 1000 }, (_, i) => `line ${i} é漢\n`);
  for (const line of lines) queue.push(line);
  await reader.readAll(queue);
  assert.equal(reader.text, lines.join(""));
  assert.equal(queue.dropped, 0);
});

Deno.test("a reader that stops bounds what waits, and the gap is named and counted", async () => {
  const reader = new Reader();
  const queue = new LogQueue(reader, dropLine, 100);
  for (let i = 0; i < 30; i++) queue.push(`line ${i % 10}..\n`);
  // 9 bytes each: eleven fit.
  assert.equal(queue.dropped, 19);
  await reader.readAll(queue);
  const kept = Array.from({ length: 11 }, (_, i) => `line ${i % 10}..\n`).join("");
  assert.equal(reader.text, `${kept}dropped 19\n`);
  queue.push("goes on\n");
  await reader.readAll(queue);
  assert.equal(reader.text, `${kept}dropped 19\ngoes on\n`);
  assert.equal(queue.dropped, 19);
});

Deno.test("a sink that fails is tried again with the next line", async () => {
  let text = "";
  let failures = 2;
  const queue = new LogQueue({
    write(bytes) {
      if (failures-- > 0) return Promise.reject(new Deno.errors.BrokenPipe("nobody reads"));
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  }, dropLine);
  for (const line of ["one\n", "two\n", "three\n"]) {
    queue.push(line);
    await queue.drained();
  }
  assert.equal(text, "three\n");
});
