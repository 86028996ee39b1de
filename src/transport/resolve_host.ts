import { lookup } from "node:dns/promises";
import { errorText, ZeromeshError } from "../core/mod.ts";
import type { Endpoint } from "./endpoint.ts";

/** Resolves a host name here: libzmq would do it on the thread that serves every socket. */
export async function resolveHost(endpoint: Endpoint): Promise<Endpoint> {
  if (endpoint.scheme !== "tcp" || !/[a-zA-Z]/.test(endpoint.host) || endpoint.host.startsWith("[")) {
    return endpoint;
  }
  try {
    const found = await lookup(endpoint.host);
    return { ...endpoint, host: found.family === 6 ? `[${found.address}]` : found.address };
  } catch (error) {
    throw new ZeromeshError(
      "PEER_UNREACHABLE",
      `Cannot dial tcp://${endpoint.host}:${endpoint.port}: the name ${endpoint.host} cannot be resolved ` +
        `(${errorText(error)})`,
      { cause: error },
    );
  }
}
