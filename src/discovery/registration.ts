import { type PeerInfo, peerInfoFromJson } from "../messenger/mod.ts";
import type { Registration } from "./discovery.ts";

/** A registration whose removal a function does, once and without an error. */
export function registration(takeBack: () => void | Promise<void>): Registration {
  let done: Promise<void> | undefined;
  const unregister = (): Promise<void> => {
    // An entry that cannot be removed is swept by others, or ends with its lease.
    done ??= (async () => await takeBack())().catch(() => {});
    return done;
  };
  return { unregister, [Symbol.asyncDispose]: unregister };
}

const servicePattern = /^[\w.:@+-]{1,128}$/;

/**
 * Checks the name of a service, a mesh or a cluster, which becomes part of keys and file names.
 *
 * @param what The noun for the error.
 * @throws {TypeError} If it has characters other than letters, digits and `_ . : @ + -`, or more than 128.
 */
export function checkServiceName(name: string, what = "a service"): string {
  if (typeof name === "string" && servicePattern.test(name) && name !== "." && name !== "..") return name;
  throw new TypeError(
    `Cannot use ${JSON.stringify(name)} as the name of ${what}: use 1 to 128 letters, digits and _ . : @ + -`,
  );
}

/** Parses a back end's JSON text about an instance; null if it is invalid. */
export function peerInfoOfText(text: string | null): PeerInfo | null {
  if (text === null) return null;
  try {
    return peerInfoFromJson(JSON.parse(text));
  } catch {
    return null;
  }
}
