import { networkInterfaces } from "node:os";
import { ZeromeshError } from "../core/mod.ts";

/** A parsed endpoint. */
export type Endpoint =
  | { readonly scheme: "tcp"; readonly host: string; readonly port: number }
  | { readonly scheme: "ipc"; readonly path: string };

// The kernel's limit for a socket's path, without the final NUL.
const longestIpcPath = 107;

/**
 * Parses `tcp://HOST:PORT` or `ipc://PATH`.
 *
 * For listening the port may be `0` or `*` (any free one) and the host `*` (all interfaces); for dialling
 * both must be given.
 *
 * @throws {ZeromeshError} `ENDPOINT_INVALID`, saying what is wrong and what is expected.
 */
export function parseEndpoint(text: string, purpose: "listen" | "dial"): Endpoint {
  const verb = purpose === "listen" ? "listen on" : "dial";
  const refuse = (why: string): never => {
    throw new ZeromeshError(
      "ENDPOINT_INVALID",
      `Cannot ${verb} ${JSON.stringify(text)}: ${why}; expected tcp://HOST:PORT or ipc://PATH`,
      { details: { endpoint: text } },
    );
  };
  if (typeof text !== "string") {
    throw new TypeError(`Cannot ${verb} an endpoint that is no string (got ${typeof text})`);
  }
  // C would take the text up to there, which is another address.
  if (text.includes("\0")) return refuse("it holds a NUL");
  if (text.startsWith("ipc://")) {
    const path = text.slice(6);
    if (path === "") return refuse("the path is missing");
    if (path === "*") return refuse("* is no path");
    const bytes = new TextEncoder().encode(path).length;
    if (bytes > longestIpcPath) {
      return refuse(`its path has ${bytes} bytes, and the system allows ${longestIpcPath}`);
    }
    return { scheme: "ipc", path };
  }
  if (!text.startsWith("tcp://")) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
    return refuse(scheme === undefined ? "it has no scheme" : `the scheme ${scheme} is not supported`);
  }
  const match = /^tcp:\/\/(\[[0-9a-fA-F:.]+(?:%[^\]\s]+)?\]|[^:/[\]\s]+):([0-9]+|\*)$/.exec(text);
  if (match === null) return refuse("host or port is missing or malformed");
  const host = match[1] ?? "";
  const port = match[2] === "*" ? 0 : Number(match[2]);
  if (port > 65_535) return refuse(`port ${port} is above 65535`);
  if (purpose === "dial") {
    if (port === 0) return refuse("port 0 cannot be dialled");
    if (host === "*" || host === "0.0.0.0" || host === "[::]") {
      return refuse(`${host} is an address to listen on, not one to dial`);
    }
  }
  // libzmq binds no names; a dialler tries both addresses of this one.
  const bound = purpose === "listen" && host === "localhost" ? "127.0.0.1" : host;
  return { scheme: "tcp", host: bound, port };
}

/** The endpoint as libzmq takes it. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.scheme === "ipc" ? `ipc://${endpoint.path}` : `tcp://${endpoint.host}:${endpoint.port}`;
}

/** Whether an endpoint's address is IPv6, which a listener must be told. */
export function isIpv6(endpoint: Endpoint): boolean {
  return endpoint.scheme === "tcp" && endpoint.host.startsWith("[");
}

/** libzmq's own spelling of a bound endpoint, with IPv4 addresses as such. */
export function normalizeBound(bound: string): string {
  return bound.replace(/^tcp:\/\/\[::ffff:([0-9.]+)\]:/, "tcp://$1:");
}

/**
 * The endpoints that peers can dial for a bound one: itself, or, for a wildcard, the addresses of this
 * host's interfaces (loopback only when there is nothing else).
 *
 * @param bound What libzmq bound, with its port resolved.
 * @param advertise Host or complete endpoint that the user wants told to peers instead.
 */
export function dialableEndpoints(bound: string, advertise: string | undefined): string[] {
  const match = /^tcp:\/\/(.+):(\d+)$/.exec(bound);
  if (match === null) return [bound];
  const [, host = "", port = ""] = match;
  if (advertise !== undefined) {
    const whole = advertise.includes("://") ? advertise : `tcp://${advertise}:${port}`;
    parseEndpoint(whole, "dial");
    // As it is bound: plain Velo takes one address of a name.
    return [formatEndpoint(parseEndpoint(whole, "listen"))];
  }
  if (host !== "0.0.0.0" && host !== "[::]" && host !== "*") return [bound];
  const addresses = interfaceAddresses();
  const usable = addresses.length > 0 ? addresses : ["127.0.0.1"];
  return usable.map((address) => `tcp://${address}:${port}`);
}

/** The host of an address that libzmq connects to, written as libzmq tells it of others; `"ipc"` for a socket's path. */
export function hostOf(address: string): string {
  return /^tcp:\/\/\[?(.+?)\]?:\d+$/.exec(address)?.[1] ?? "ipc";
}

/** Whether an address, as in an endpoint or as libzmq tells a connection's, is this host's own whoever looks. */
export function isLoopback(address: string): boolean {
  return /^(?:tcp:\/\/)?(?:127(?:\.\d+){3}|\[?::1\]?|localhost)(?::\d+)?$/.test(address);
}

function interfaceAddresses(): string[] {
  let interfaces: ReturnType<typeof networkInterfaces>;
  try {
    interfaces = networkInterfaces();
  } catch (error) {
    throw new ZeromeshError(
      "ENDPOINT_INVALID",
      "Cannot find out which address peers can dial for a wildcard endpoint: the runtime refuses to list the " +
        "network interfaces; give advertise, or allow it (Deno: --allow-sys=networkInterfaces)",
      { cause: error },
    );
  }
  const addresses: string[] = [];
  for (const entries of Object.values(interfaces)) {
    for (const entry of entries ?? []) {
      if (!entry.internal && entry.family === "IPv4") addresses.push(entry.address);
    }
  }
  return addresses;
}
