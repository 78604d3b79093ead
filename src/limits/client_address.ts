/**
 * Who a request comes from, behind proxies too, and what limits count it by.
 *
 * @module
 */
import { BlockList, isIP } from "node:net";

/** The proxies whose `X-Forwarded-For` is believed. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #isEmpty: boolean;

  /** @param entries addresses, or networks as `address/bits`; see {@linkcode isAddressOrNetwork} */
  constructor(entries: readonly string[]) {
    this.#isEmpty = entries.length === 0;
    for (const entry of entries) {
      const [address, bits] = entry.split("/") as [string, string?];
      const family = isIP(address) === 6 ? "ipv6" : "ipv4";
      if (bits === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(bits), family);
    }
  }

  /** Whether an address is one of theirs. */
  includes(address: string): boolean {
    return !this.#isEmpty && this.#list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  }
}

/** Whether a text is an IP address, or a network as `address/bits`. */
export function isAddressOrNetwork(text: string): boolean {
  const [, address, bits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address ?? "");
  return family !== 0 && Number(bits ?? 0) <= (family === 6 ? 128 : 32);
}

/**
 * The address of who sent a request: the peer's, or, where that is a trusted proxy, the last one in
 * `X-Forwarded-For` that is not. What stands before that one anybody can have written.
 *
 * @param peer the address of the TCP connection
 */
export function clientAddress(peer: string, headers: Headers, trusted: TrustedProxies): string {
  let client = canonicalAddress(peer) ?? peer;
  if (!trusted.includes(client)) return client;
  for (const entry of (headers.get("x-forwarded-for") ?? "").split(",").reverse()) {
    const address = canonicalAddress(withoutPort(entry.trim()));
    if (address === undefined) break;
    client = address;
    if (!trusted.includes(client)) break;
  }
  return client;
}

/**
 * What a client is counted by: its address, of IPv6 the first 64 bits, since whoever has one address
 * there has 2^64.
 */
export function sourceOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [before = "", after] = address.split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? [] : Array(8 - head.length - tail.length).fill("0");
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(":")}::/64`;
}

/** An address in its one spelling, IPv4 where IPv6 only wraps it, and in memory of its own. */
function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 4) return text.split(".").map(Number).join(".");
  if (family !== 6 || text.includes("%")) return undefined;
  const address = new URL(`http://[${text}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return address;
  return [high, low].flatMap((pair) => {
    const value = parseInt(pair, 16);
    return [value >> 8, value & 255];
  }).join(".");
}

function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}
