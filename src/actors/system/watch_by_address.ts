import { type MessengerHandle, portOf } from "../../messenger/mod.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { ActorAddress } from "../references/address.ts";
import { makeRef } from "../routing/reference.ts";
import { bytesContract } from "../contract/contract.ts";
import { clientAt } from "../remote/client.ts";
import { ActorSystem } from "./system.ts";

/**
 * Calls back once when an actor ends, whatever instance it belongs to; at once if it does not exist. A messenger is
 * enough, without an actor system. When that is closed, its watches end without a call.
 *
 * @param from The messenger, or an actor system.
 * @param target A reference, or `nameOrId@instanceId`.
 * @param ended Gets the reason.
 * @returns Disposing it ends the watch.
 * @throws {ZeromeshError} `LIMIT_REACHED` at 65 536 watches of one messenger, or at `maxWatches` of its system.
 * @throws {TypeError} If an argument has the wrong type.
 *
 * @example Usage
 * ```ts ignore
 * const counter = actorRef(messenger, Counter, `counter@${peer}`);
 * using watch = watchActor(messenger, counter, ({ reason }) => console.log("the counter has ended:", reason));
 * ```
 */
export function watchActor(
  from: MessengerHandle | ActorSystem,
  target: string | ActorAddress,
  ended: (end: ActorEnd) => unknown,
): Disposable {
  if (from instanceof ActorSystem) return from.watch(target, ended);
  const port = portOf(from);
  if (port === undefined) {
    throw new TypeError("Cannot watch an actor: the first argument must be a Messenger or an ActorSystem");
  }
  const client = clientAt(port);
  const ref = typeof target === "string" ? makeRef(client, bytesContract, target, null) : target;
  return client.watch(ref, ended);
}
