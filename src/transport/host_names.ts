import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { errorText, ZeromeshError } from "../core/mod.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";

/** Resolves a host name to its IP addresses, the preferred one first. */
export type HostResolver = (host: string) => Promise<readonly string[]> | readonly string[];

/** The system's addresses of a name, of both families. */
export async function systemAddresses(host: string): Promise<string[]> {
  // Needs no server and no permission.
  if (host === "localhost") return ["127.0.0.1", "::1"];
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}

/**
 * The addresses of an endpoint in libzmq's form; several only if a host name has several.
 *
 * Names are resolved here: libzmq would do it on the thread that serves all sockets, and use one address.
 *
 * @throws {ZeromeshError} `PEER_UNREACHABLE` when a name has no address now; `FORBIDDEN` when the runtime denies the
 * lookup.
 */
export async function addressesOf(endpoint: Endpoint, resolver: HostResolver): Promise<string[]> {
  if (endpoint.scheme !== "tcp" || !/[a-zA-Z]/.test(endpoint.host) || endpoint.host.startsWith("[")) {
    return [formatEndpoint(endpoint)];
  }
  const { host, port } = endpoint;
  const fail = (code: "PEER_UNREACHABLE" | "FORBIDDEN", why: string, cause?: unknown): never => {
    throw new ZeromeshError(
      code,
      `Cannot dial tcp://${host}:${port}: the name ${host} cannot be resolved (${why})`,
      { cause },
    );
  };
  let found: readonly string[];
  try {
    found = await resolver(host);
  } catch (error) {
    // Deno's error for a missing permission, for which retrying is pointless.
    const refused = error instanceof Error && (error as { code?: unknown }).code === "EPERM";
    if (refused) {
      return fail("FORBIDDEN", `this program may not ask; on Deno give --allow-net=${host}`, error);
    }
    return fail("PEER_UNREACHABLE", errorText(error), error);
  }
  if (!Array.isArray(found)) return fail("PEER_UNREACHABLE", "resolveHost gave no array of addresses");
  const wrong = found.find((address) => isIP(address) === 0);
  if (wrong !== undefined) return fail("PEER_UNREACHABLE", `${JSON.stringify(wrong)} is no IP address`);
  if (found.length === 0) return fail("PEER_UNREACHABLE", "it has no address");
  return [...new Set(found)].map((address) =>
    formatEndpoint({ scheme: "tcp", host: isIP(address) === 6 ? `[${address}]` : address, port })
  );
}
