import { describeValue } from "../../core/mod.ts";
import { type MessengerHandle, portOf } from "../../messenger/mod.ts";
import type { ActorAddress } from "../references/address.ts";
import {
  type ActorContract,
  type BytesContract,
  bytesContract,
  isActorContract,
} from "../contract/contract.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import { makeRef } from "../routing/reference.ts";
import { clientAt } from "../remote/client.ts";
import { ActorSystem } from "./system.ts";

/**
 * A reference to an actor by its address, whether it exists or not. A messenger is enough, without an actor system; an
 * instance that it does not know is looked up in discovery when the first message goes there.
 *
 * @param from The messenger, or an actor system.
 * @param contract The actor's contract; without one the reference takes and gives bytes.
 * @param address `nameOrId@instanceId`, or another reference.
 * @throws {TypeError} If an argument has the wrong type.
 *
 * @example Usage
 * ```ts ignore
 * const peer = await messenger.connect("tcp://10.0.0.2:5555");
 * const counter = actorRef(messenger, Counter, `counter@${peer}`);
 * console.log(await counter.ask("add", { n: 2 }, { timeoutMs: 1000 }));
 * ```
 */
export function actorRef<C extends ActorContract>(
  from: MessengerHandle | ActorSystem,
  contract: C,
  address: string | ActorAddress,
): ActorRef<C>;
/** A reference that takes and gives bytes: to an actor without a contract, or one whose contract is not at hand. */
export function actorRef(
  from: MessengerHandle | ActorSystem,
  address: string | ActorAddress,
): ActorRef<BytesContract>;
export function actorRef(
  from: MessengerHandle | ActorSystem,
  first: ActorContract | string | ActorAddress,
  second?: string | ActorAddress,
): ActorRef {
  const [contract, address] = second === undefined && !isActorContract(first)
    ? [bytesContract, first as string | ActorAddress]
    : [first as ActorContract, second as string | ActorAddress];
  if (!isActorContract(contract)) {
    throw new TypeError(
      `Cannot make a reference: it takes an actor contract, got ${describeValue(contract)}`,
    );
  }
  if (from instanceof ActorSystem) return from.ref(contract, address);
  const port = portOf(from);
  if (port === undefined) {
    throw new TypeError("Cannot make a reference: its first argument must be a Messenger or an ActorSystem");
  }
  return makeRef(clientAt(port), contract, address, null);
}
