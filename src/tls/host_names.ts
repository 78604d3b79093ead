/**
 * Under which names and addresses other machines may reach this one.
 *
 * @module
 */
import { isIP } from "node:net";

const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/** Where one listens on every address. */
const ANY = ["0.0.0.0", "::"];

/**
 * What a certificate of this machine has to be for: its host name and addresses, those of loopback, and
 * what the configuration names.
 *
 * @param configured the address or name to listen on, and the host of the public URL
 * @throws {Deno.errors.NotCapable} without `--allow-sys=hostname,networkInterfaces`
 */
export function hostNames(configured: readonly (string | undefined)[]): string[] {
  const own = Deno.hostname();
  const names = [
    ...LOOPBACK,
    own,
    own.split(".", 1)[0]!,
    ...Deno.networkInterfaces().map(({ address }) => address).filter(isReachable),
    ...configured.filter((name) => name !== undefined && !ANY.includes(name)) as string[],
  ].map((name) => name.toLowerCase()).filter(isNameOrAddress);
  return [...new Set(names)];
}

/** The host of a URL, an IPv6 address without its brackets. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** Not the addresses of a link alone, which need the name of an interface beside them. */
function isReachable(address: string): boolean {
  return !/^(fe[89ab]|169\.254\.)/i.test(address);
}

/** What a certificate can name: not each host name is one of DNS (RFC 1123). */
function isNameOrAddress(text: string): boolean {
  return isIP(text) !== 0 ||
    text.length <= 253 && /^(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*$/.test(text);
}
