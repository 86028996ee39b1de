import { ZeromeshError } from "../../core/mod.ts";

const invalid: ReadonlySet<unknown> = new Set(["EINVAL", "EPROTONOSUPPORT", "EADDRNOTAVAIL", "ENODEV"]);

/** The library's error for a socket of `zeromesh/zmq` that could not be bound or connected; other errors stay as they are. */
export function bindError(error: unknown, cannot: string): unknown {
  const { code } = error as { code?: unknown };
  if (code === "EADDRINUSE") {
    return new ZeromeshError("ADDRESS_IN_USE", `${cannot}: the address is in use`, { cause: error });
  }
  if (!invalid.has(code)) return error;
  return new ZeromeshError("ENDPOINT_INVALID", `${cannot}: libzmq does not take it (${code})`, {
    cause: error,
  });
}
