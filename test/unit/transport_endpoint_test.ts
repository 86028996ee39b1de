import { expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import {
  dialableEndpoints,
  formatEndpoint,
  isIpv6,
  normalizeBound,
  parseEndpoint,
} from "../../src/transport/endpoint.ts";

const refused = (text: string, purpose: "listen" | "dial") => {
  try {
    parseEndpoint(text, purpose);
  } catch (error) {
    return error as Error & { code: string; details: unknown };
  }
  throw new Error(`${text} was taken`);
};

test("endpoints of both kinds are parsed, and formatted as libzmq takes them", () => {
  const cases: [text: string, formatted: string][] = [
    ["tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"],
    ["tcp://host.example:1", "tcp://host.example:1"],
    ["tcp://[::1]:65535", "tcp://[::1]:65535"],
    ["tcp://[fe80::1%eth0]:1", "tcp://[fe80::1%eth0]:1"],
    ["ipc:///run/me.sock", "ipc:///run/me.sock"],
    ["ipc://@name", "ipc://@name"],
    ["ipc://relative/path with blanks", "ipc://relative/path with blanks"],
  ];
  for (const [text, formatted] of cases) {
    for (const purpose of ["listen", "dial"] as const) {
      expect(formatEndpoint(parseEndpoint(text, purpose))).toBe(formatted);
    }
  }
});

test("localhost is an address to listen on, and a name of two to dial", () => {
  expect(formatEndpoint(parseEndpoint("tcp://localhost:5555", "listen"))).toBe("tcp://127.0.0.1:5555");
  expect(formatEndpoint(parseEndpoint("tcp://localhost:5555", "dial"))).toBe("tcp://localhost:5555");
});

test("any port and any interface can be listened on, and not dialled", () => {
  expect(parseEndpoint("tcp://127.0.0.1:*", "listen")).toEqual({ scheme: "tcp", host: "127.0.0.1", port: 0 });
  for (const text of ["tcp://*:0", "tcp://0.0.0.0:80", "tcp://[::]:80", "tcp://*:80", "tcp://127.0.0.1:0"]) {
    expect(formatEndpoint(parseEndpoint(text, "listen"))).toBe(text);
    const error = refused(text, "dial");
    expect(error.code).toBe("ENDPOINT_INVALID");
    expect(error.message).toMatch(/address to listen on|port 0 cannot be dialled/);
  }
});

test("an invalid endpoint is ENDPOINT_INVALID with the text, the reason and the expected form", () => {
  const cases: [text: string, why: RegExp][] = [
    ["", /no scheme/],
    ["127.0.0.1:80", /no scheme/],
    ["http://host:80", /scheme http is not supported/],
    ["inproc://x", /scheme inproc is not supported/],
    ["tcp://", /host or port/],
    ["tcp://host", /host or port/],
    ["tcp://:80", /host or port/],
    ["tcp://host:port", /host or port/],
    ["tcp://host:-1", /host or port/],
    ["tcp://host:80/path", /host or port/],
    ["tcp://a b:80", /host or port/],
    ["tcp://127.0.0.1\0:80", /holds a NUL/],
    ["ipc:///run/me\0.sock", /holds a NUL/],
    ["ipc://@na\0me", /holds a NUL/],
    ["tcp://::1:80", /host or port/],
    ["tcp://[::1:80", /host or port/],
    ["tcp://host:65536", /above 65535/],
    ["ipc://", /path is missing/],
    ["ipc://*", /no path/],
  ];
  for (const [text, why] of cases) {
    for (const purpose of ["listen", "dial"] as const) {
      const error = refused(text, purpose);
      expect(error.code).toBe("ENDPOINT_INVALID");
      expect(error.message).toMatch(why);
      expect(error.message).toContain(`Cannot ${purpose === "listen" ? "listen on" : "dial"} `);
      expect(error.message).toContain(JSON.stringify(text));
      expect(error.message).toContain("tcp://HOST:PORT or ipc://PATH");
      expect(error.details).toEqual({ endpoint: text });
    }
  }
  for (const nothing of [undefined, null, 5, {}]) {
    expect(() => parseEndpoint(nothing as never, "dial")).toThrow(TypeError);
  }
});

test("the longest path of a socket is 107 bytes, counted in UTF-8", () => {
  for (const letter of ["a", "é"]) {
    const bytes = new TextEncoder().encode(letter).length;
    const longest = `/${letter.repeat(Math.floor(106 / bytes))}`;
    expect(parseEndpoint(`ipc://${longest}`, "listen")).toEqual({ scheme: "ipc", path: longest });
    const error = refused(`ipc://${longest}${letter}`, "listen");
    expect(error.message).toMatch(/its path has 10[89] bytes, and the system allows 107/);
  }
});

test("only endpoints in brackets are IPv6", () => {
  expect(isIpv6(parseEndpoint("tcp://[::]:1", "listen"))).toBeTrue();
  expect(isIpv6(parseEndpoint("tcp://0.0.0.0:1", "listen"))).toBeFalse();
  expect(isIpv6(parseEndpoint("ipc://[x]", "listen"))).toBeFalse();
});

test("an IPv4 address bound by a socket for IPv6 is told as IPv4, and all others as they are", () => {
  expect(normalizeBound("tcp://[::ffff:127.0.0.1]:80")).toBe("tcp://127.0.0.1:80");
  expect(normalizeBound("tcp://[::ffff:0.0.0.0]:80")).toBe("tcp://0.0.0.0:80");
  for (const same of ["tcp://[::1]:80", "tcp://[::]:80", "tcp://10.0.0.1:80", "ipc:///x"]) {
    expect(normalizeBound(same)).toBe(same);
  }
});

test("an address that can be dialled is told to peers as it is", () => {
  for (const bound of ["tcp://127.0.0.1:80", "tcp://[::1]:80", "ipc:///x", "ipc://@x"]) {
    expect(dialableEndpoints(bound, undefined)).toEqual([bound]);
  }
});

test("a wildcard is told to peers as the addresses of this host, never as itself", () => {
  const external = Object.values(networkInterfaces()).flat()
    .filter((entry) => entry !== undefined && !entry.internal && entry.family === "IPv4")
    .map((entry) => `tcp://${entry!.address}:80`);
  for (const bound of ["tcp://0.0.0.0:80", "tcp://[::]:80"]) {
    expect(dialableEndpoints(bound, undefined)).toEqual(
      external.length > 0 ? external : ["tcp://127.0.0.1:80"],
    );
  }
});

test("advertise replaces the host, or the whole endpoint, and must be one that can be dialled", () => {
  expect(dialableEndpoints("tcp://0.0.0.0:80", "service.example")).toEqual(["tcp://service.example:80"]);
  expect(dialableEndpoints("tcp://10.0.0.1:80", "[fd00::1]")).toEqual(["tcp://[fd00::1]:80"]);
  expect(dialableEndpoints("tcp://0.0.0.0:80", "tcp://gate.example:9000")).toEqual([
    "tcp://gate.example:9000",
  ]);
  expect(dialableEndpoints("ipc:///x", "service.example")).toEqual(["ipc:///x"]);
  for (const wrong of ["0.0.0.0", "*", "a b", "tcp://host", "tcp://host:0", "http://host:80"]) {
    expect(() => dialableEndpoints("tcp://0.0.0.0:80", wrong)).toThrow(/Cannot dial/);
  }
});
