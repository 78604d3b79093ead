/**
 * Waits for work, but no longer than `ms` milliseconds. The work itself goes on.
 *
 * @returns whether it was done in time
 * @throws what the work throws in time
 */
export async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<false>();
  const timer = setTimeout(() => late.resolve(false), ms);
  // It may fail when nobody waits any more.
  work.catch(() => {});
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `ms` milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
