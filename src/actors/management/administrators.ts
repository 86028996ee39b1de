import { ZeromeshError } from "../../core/mod.ts";
import type { ProvenOrigin } from "../../messenger/mod.ts";

/**
 * Lets administrators pass. With CURVE they are known by their keys; without it, only processes of this host are let in.
 *
 * @throws {ZeromeshError} `FORBIDDEN`.
 */
export function requireAdministrator(
  { key, own, local }: ProvenOrigin,
  keys: ReadonlySet<string>,
  command: string,
): void {
  if (own || (key === null ? local : keys.has(key))) return;
  const why = key === null
    ? "without CURVE keys only processes of the server's host may do that"
    : "its key is not among the administrators' keys";
  throw new ZeromeshError("FORBIDDEN", `The server does not let this client run "${command}": ${why}`);
}
