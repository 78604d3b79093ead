/** How many stream ids are remembered; a power of two. */
const SLOTS = 1024;

/** How many bytes of a stream id choose its slot: those of a UUIDv4 are random from the first on. */
const HASHED_BYTES = 8;

/** The stream ids that were read lately, each in the slot that its bytes choose. */
const remembered: string[] = Array.from({ length: SLOTS }, () => "");

const ascii = new TextDecoder();

/**
 * The text of a stream id in visible ASCII. The same few ids come with frame after frame: to compare
 * one with what is remembered costs a third of making the string anew, and that one's hash is known.
 *
 * @param from where the id begins
 * @param to where it ends
 * @returns `undefined` when a byte of it is no visible ASCII
 */
export function readStreamId(bytes: Uint8Array, from: number, to: number): string | undefined {
  const slot = slotOf(bytes, from, to);
  const known = remembered[slot]!;
  if (isAt(known, bytes, from, to)) return known;
  for (let i = from; i < to; i++) {
    if (bytes[i]! < 0x21 || bytes[i]! > 0x7e) return undefined;
  }
  return remembered[slot] = ascii.decode(bytes.subarray(from, to));
}

function slotOf(bytes: Uint8Array, from: number, to: number): number {
  const end = Math.min(to, from + HASHED_BYTES);
  let hash = 0;
  // FNV-1a
  for (let i = from; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x0100_0193);
  return (hash ^ hash >>> 15) & SLOTS - 1;
}

function isAt(text: string, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[from + i]) return false;
  }
  return true;
}
