import { statSync, unlinkSync } from "node:fs";
import { type Clock, hold, type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type Context, MonitorEvent } from "../libzmq/mod.ts";
import { onProgramEnd } from "../runtime/mod.ts";

const probeMs = 1_000;

/**
 * The endpoint for peers of the same host and user, or null if the platform has none.
 *
 * On Linux it is an abstract name: without a file, without a permission, and free when the process ends. The kernel's
 * information about the other process decides who may connect, see {@link ownUserOnly}.
 */
export function localEndpoint(id: InstanceId): string | null {
  return process.platform === "linux" ? `ipc://@zeromesh-${id}` : null;
}

/**
 * Makes sure that no live process listens at a socket path. libzmq would replace its socket: the other process keeps
 * its connections and gets no new ones.
 *
 * libzmq also removes files of other kinds, so only a socket is accepted.
 *
 * @throws {ZeromeshError} `ADDRESS_IN_USE` when a process answers there; `ENDPOINT_INVALID` when it is not a socket.
 */
export async function requireFreePath(context: Context, clock: Clock, path: string): Promise<void> {
  if (holdsSomethingElse(path)) {
    throw new ZeromeshError(
      "ENDPOINT_INVALID",
      `Cannot listen on ipc://${path}: the file at the path is not a socket; choose another path`,
      { details: { endpoint: `ipc://${path}` } },
    );
  }
  const socket = context.socket("DEALER");
  const found = Promise.withResolvers<boolean>();
  context.reactor.ref();
  try {
    socket.set("LINGER", 0).set("RECONNECT_IVL", 86_400_000);
    socket.monitor(MonitorEvent.CONNECTED | MonitorEvent.CLOSED, (event) => {
      found.resolve(event === MonitorEvent.CONNECTED);
    });
    socket.connect(`ipc://${path}`);
    if (!await hold(found.promise, { clock, timeoutMs: probeMs }).catch(() => true)) return;
  } finally {
    socket.close();
    context.reactor.unref();
  }
  throw new ZeromeshError("ADDRESS_IN_USE", `Cannot listen on ipc://${path}: another process listens there`, {
    details: { endpoint: `ipc://${path}` },
  });
}

/**
 * Removes a socket's file when it is disposed, and at the process's end, if it is still this one's. libzmq keeps it.
 *
 * Without permission to look at files, the file stays, which is harmless.
 */
export function ownPath(path: string): Disposable {
  const inode = inodeOf(path);
  const remove = () => {
    atEnd[Symbol.dispose]();
    if (inode === null || inodeOf(path) !== inode) return;
    try {
      unlinkSync(path);
    } catch {
      // Another process was faster, or the permission is missing.
    }
  };
  const atEnd = onProgramEnd(remove);
  return { [Symbol.dispose]: remove };
}

function holdsSomethingElse(path: string): boolean {
  try {
    return !statSync(path).isSocket();
  } catch {
    return false; // absent, or the permission is missing
  }
}

function inodeOf(path: string): number | null {
  try {
    return statSync(path).ino;
  } catch {
    return null;
  }
}
