import { type Backend, type BackendLease, leaseBackendNow, opensWithQuestion } from "../libzmq/mod.ts";
import { runsFromBinary } from "../runtime/mod.ts";

/** What the loaded libzmq can do; a missing entry means that it cannot. */
export interface Capability {
  /** The transport `ipc://`. */
  ipc?: boolean;
  /** The transport `pgm://`. */
  pgm?: boolean;
  /** The transport `tipc://`. */
  tipc?: boolean;
  /** The transport `norm://`. */
  norm?: boolean;
  /** The security mechanism CURVE. */
  curve?: boolean;
  /** The security mechanism GSSAPI. */
  gssapi?: boolean;
  /** The draft sockets. */
  draft?: boolean;
}

/**
 * The version of the loaded libzmq, such as `"4.3.5"`.
 *
 * It is empty until the first socket or context when libzmq could not be loaded during the import, for instance because
 * Deno had no permission then, and in a compiled program.
 */
export let version = "";

/** What the loaded libzmq can do. Empty as long as {@link version} is. */
export const capability: Capability = {};

const names = ["ipc", "pgm", "tipc", "norm", "curve", "gssapi", "draft"] as const;
let lease: BackendLease | undefined;

/** libzmq, opened once per JavaScript thread. @throws {ZeromeshError} `LIBZMQ_NOT_FOUND`. */
export function library(): Backend {
  return (lease ??= open()).backend;
}

function open(): BackendLease {
  const opened = leaseBackendNow();
  const { version: found, capabilities } = opened.backend.library;
  version = found;
  for (const name of names) capability[name] = capabilities.includes(name);
  return opened;
}

// The version and the capabilities are constants of the module, as programs expect them. A failure is not one of the
// import: the first socket reports it, and an option or a permission may come before. A compiled program says which
// libzmq it contains only after its imports.
try {
  if (!opensWithQuestion() && !runsFromBinary()) library();
} catch {
  // Reported at the first use.
}
