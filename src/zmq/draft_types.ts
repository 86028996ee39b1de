import { Errno, SocketType } from "../libzmq/mod.ts";
import { errnoError } from "./errors.ts";
import { capability, library } from "./library.ts";

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(SocketType).filter(([, type]) => type > SocketType.STREAM).map((
    [name, type],
  ) => [type, name]),
);

/**
 * Refuses a type of draft socket when libzmq was built without them: it makes some of them even then.
 *
 * @throws {ErrnoError} `EINVAL`.
 */
export function checkDraftType(type: number): void {
  const name = names.get(type);
  if (name === undefined || capability.draft === true) return;
  const { path, version } = library().library;
  throw errnoError(Errno.EINVAL, {
    detail:
      `the socket type ${name} (${type}) is a draft of ZeroMQ, and libzmq ${version} at ${path} was built without ` +
      `draft sockets. Build libzmq with them (cmake -DENABLE_DRAFTS=ON), and name it by ZEROMESH_LIBZMQ`,
  });
}
