/** How long a peer may take nothing at all of what waits for it, in milliseconds. */
export const STUCK_MS = 30_000;

/** How fast a peer must take what is sent to it, at the least, in bytes a second: 1 Mbit/s. */
const LEAST_RATE = 128 * 1024;

/** A frame that takes longer than that at this rate, in bytes. */
export const LARGE_BYTES = LEAST_RATE * STUCK_MS / 1000;

/**
 * What the kernels on both sides may hold on top of what waits here, in bytes: tcp(7), the largest of
 * `tcp_wmem` and of `tcp_rmem` together, as Linux has them.
 */
export const KERNEL_BYTES = 10 * 1024 * 1024;

/** How long a peer may take for so many bytes, in milliseconds. */
export function msToTake(bytes: number): number {
  return bytes / LEAST_RATE * 1000;
}
