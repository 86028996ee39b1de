import { Errno, type Handle, type Registration, SocketType, type Source } from "../libzmq/mod.ts";
import { errnoError, socketError } from "./errors.ts";
import { capability, library } from "./library.ts";
import type { Loop } from "./loop.ts";
import { typeName } from "./type_names.ts";

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(SocketType).filter(([, type]) => type > SocketType.STREAM).map((
    [name, type],
  ) => [type, name]),
);

/** Whether a type of socket is a draft. */
export function isDraftType(type: number): boolean {
  return names.has(type);
}

/**
 * Registers a draft socket at once: a thread-safe one has a descriptor only for its end, and libzmq ends the process when
 * there is none left. That of its registration is held until then.
 */
export function reserve(
  { backend, reactor }: Loop,
  type: number,
  socket: Handle,
  source: Source,
): Registration {
  try {
    return reactor.add(socket, source, { idle: true });
  } catch {
    backend.closeSocket(socket);
    throw socketError(Errno.EMFILE, typeName(type), "be opened");
  }
}

/**
 * Refuses a type of draft socket when libzmq was built without them: it makes some of them even then.
 *
 * @throws {ErrnoError} `EINVAL`.
 */
export function checkDraftType(type: number): void {
  const name = names.get(type);
  if (name === undefined || library().drafts !== null) return;
  const { path, version } = library().library;
  const lack = capability.draft === true
    ? "has no zmq_poller_fd, which is new in 4.3.2"
    : "was built without draft sockets";
  throw errnoError(Errno.EINVAL, {
    reason:
      `the socket type ${name} (${type}) is a draft of ZeroMQ, and libzmq ${version} at ${path} ${lack}. ` +
      `Build libzmq with them (cmake -DENABLE_DRAFTS=ON), or install the npm package zeromq, and name the library by ` +
      `ZEROMESH_LIBZMQ`,
  });
}
