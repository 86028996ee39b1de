import { SocketType } from "../libzmq/mod.ts";

const names: ReadonlyMap<number, string> = new Map([
  [SocketType.PAIR, "Pair"],
  [SocketType.PUB, "Publisher"],
  [SocketType.SUB, "Subscriber"],
  [SocketType.REQ, "Request"],
  [SocketType.REP, "Reply"],
  [SocketType.DEALER, "Dealer"],
  [SocketType.ROUTER, "Router"],
  [SocketType.PULL, "Pull"],
  [SocketType.PUSH, "Push"],
  [SocketType.XPUB, "XPublisher"],
  [SocketType.XSUB, "XSubscriber"],
  [SocketType.STREAM, "Stream"],
  [SocketType.SERVER, "Server"],
  [SocketType.CLIENT, "Client"],
  [SocketType.RADIO, "Radio"],
  [SocketType.DISH, "Dish"],
  [SocketType.GATHER, "Gather"],
  [SocketType.SCATTER, "Scatter"],
  [SocketType.DGRAM, "Datagram"],
  [SocketType.PEER, "Peer"],
  [SocketType.CHANNEL, "Channel"],
]);

/** The class of a type of socket, as errors name it. */
export function typeName(type: number): string {
  return names.get(type) ?? `socket of type ${type}`;
}
