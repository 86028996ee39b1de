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
 * For listening the port may be `0` or `*` (a free one) and the host `*` (all interfaces); for dialling both are
 * required.
 *
 * @throws {ZeromeshError} `ENDPOINT_INVALID`, with the reason and the expected form.
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
    throw new TypeError(`Cannot ${verb} an endpoint that is not a string (got ${typeof text})`);
  }
  // C would end the text there, which is another address.
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
  // libzmq binds no names; a dialler tries both addresses of localhost.
  const bound = purpose === "listen" && host === "localhost" ? "127.0.0.1" : host;
  return { scheme: "tcp", host: bound, port };
}

/** The endpoint in libzmq's form. */
export function formatEndpoint(endpoint: Endpoint): string {
  return endpoint.scheme === "ipc" ? `ipc://${endpoint.path}` : `tcp://${endpoint.host}:${endpoint.port}`;
}

/** Whether an endpoint's address is IPv6, for which a listener needs an option. */
export function isIpv6(endpoint: Endpoint): boolean {
  return endpoint.scheme === "tcp" && endpoint.host.startsWith("[");
}

/** libzmq's form of a bound endpoint, with mapped IPv4 addresses in IPv4 form. */
export function normalizeBound(bound: string): string {
  return bound.replace(/^tcp:\/\/\[::ffff:([0-9.]+)\]:/, "tcp://$1:");
}

/**
 * The endpoints that peers can dial: the bound one itself, or, for a wildcard, the addresses of this host's interfaces
 * (loopback only without others).
 *
 * @param bound The endpoint that libzmq bound, with its port resolved.
 * @param advertise Host or complete endpoint that peers get instead.
 */
export function dialableEndpoints(bound: string, advertise: string | undefined): string[] {
  const match = /^tcp:\/\/(.+):(\d+)$/.exec(bound);
  if (match === null) return [bound];
  const [, host = "", port = ""] = match;
  if (advertise !== undefined) {
    const whole = advertise.includes("://") ? advertise : `tcp://${advertise}:${port}`;
    parseEndpoint(whole, "dial");
    // In the form of a bound endpoint, because plain Velo takes one address of a name.
    return [formatEndpoint(parseEndpoint(whole, "listen"))];
  }
  if (host !== "0.0.0.0" && host !== "[::]" && host !== "*") return [bound];
  const addresses = interfaceAddresses();
  const usable = addresses.length > 0 ? addresses : ["127.0.0.1"];
  return usable.map((address) => `tcp://${address}:${port}`);
}

/** The host of an address, in libzmq's form for connections; `"ipc"` for a socket's path. */
export function hostOf(address: string): string {
  return /^tcp:\/\/\[?(.+?)\]?:\d+$/.exec(address)?.[1] ?? "ipc";
}

/** Whether an address, of an endpoint or of a connection, belongs to this host for every observer. */
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
