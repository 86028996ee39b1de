import { statSync, unlinkSync } from "node:fs";
import { type Clock, type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type Context, MonitorEvent, onProgramEnd } from "../libzmq/mod.ts";

const probeMs = 1_000;

/**
 * The endpoint on which an instance listens for peers of the same host and user, or null where there is none.
 *
 * On Linux it is an abstract name: no file, no permission to ask for, free at the process's death. Who may connect
 * is decided by the kernel's knowledge of the other process, see {@link ownUserOnly}.
 */
export function localEndpoint(id: InstanceId): string | null {
  return process.platform === "linux" ? `ipc://@zeromesh-${id}` : null;
}

/**
 * Makes sure that no living process listens at a socket path. libzmq would steal it: the other one keeps its
 * connections and never gets another.
 *
 * It also removes whatever else lies there, so that only a socket may.
 *
 * @throws {ZeromeshError} `ADDRESS_IN_USE` when somebody answers there; `ENDPOINT_INVALID` when it is no socket.
 */
export async function requireFreePath(context: Context, clock: Clock, path: string): Promise<void> {
  if (holdsSomethingElse(path)) {
    throw new ZeromeshError(
      "ENDPOINT_INVALID",
      `Cannot listen on ipc://${path}: something that is no socket lies there; choose another path`,
      { details: { endpoint: `ipc://${path}` } },
    );
  }
  const socket = context.socket("DEALER");
  const found = Promise.withResolvers<boolean>();
  const cancel = clock.after(probeMs, () => found.resolve(true));
  context.reactor.ref();
  try {
    socket.set("LINGER", 0).set("RECONNECT_IVL", 86_400_000);
    socket.monitor(MonitorEvent.CONNECTED | MonitorEvent.CLOSED, (event) => {
      found.resolve(event === MonitorEvent.CONNECTED);
    });
    socket.connect(`ipc://${path}`);
    if (!await found.promise) return;
  } finally {
    cancel();
    socket.close();
    context.reactor.unref();
  }
  throw new ZeromeshError("ADDRESS_IN_USE", `Cannot listen on ipc://${path}: another process listens there`, {
    details: { endpoint: `ipc://${path}` },
  });
}

/**
 * Removes a socket's file when it is given up, and at the process's end, if it is still ours. libzmq leaves it.
 *
 * Where the runtime does not let us look at files, the file stays; that harms nobody.
 */
export function ownPath(path: string): Disposable {
  const inode = inodeOf(path);
  const remove = () => {
    atEnd[Symbol.dispose]();
    if (inode === null || inodeOf(path) !== inode) return;
    try {
      unlinkSync(path);
    } catch {
      // Somebody was faster, or we may not.
    }
  };
  const atEnd = onProgramEnd(remove);
  return { [Symbol.dispose]: remove };
}

function holdsSomethingElse(path: string): boolean {
  try {
    return !statSync(path).isSocket();
  } catch {
    return false; // nothing there, or we may not look
  }
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}
