/**
 * Whether a URL leads to the machine that it is used on: codex sends some credentials only there, or
 * over TLS.
 *
 * @param url a valid URL
 */
export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}
