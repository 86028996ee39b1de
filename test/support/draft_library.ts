/**
 * A libzmq with draft sockets for the tests of `zeromesh/zmq/draft`: that of the npm package `zeromq`. To be imported
 * before `zeromesh/zmq`, which opens the library that is named here.
 */
import process from "node:process";
import { leaseBackendNow, libraryVariable } from "../../ffi/mod.ts";

function findDrafts(): string | null {
  try {
    using lease = leaseBackendNow({ search: ["bundled"] });
    const { capabilities, path } = lease.backend.library;
    return capabilities.includes("draft") ? path : null;
  } catch {
    return null;
  }
}

/** Its path, or null where there is none. */
export const draftLibrary: string | null = findDrafts();
if (draftLibrary !== null) process.env[libraryVariable] = draftLibrary;

/** Why tests of draft sockets are skipped, or false. */
export const noDrafts: string | false = draftLibrary === null
  ? "the npm package zeromq has no libzmq for this machine"
  : false;
