/**
 * Unix time that goes on evenly from the process's start, in whole seconds: nobody who sets the system's
 * clock moves it. For what must not be forgotten early.
 */
export function steadyUnixSeconds(): number {
  return Math.floor((performance.timeOrigin + performance.now()) / 1000);
}
