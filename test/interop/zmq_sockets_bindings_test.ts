/** `zeromesh/zmq`, pyzmq, and the package `zeromq` on Node: every compatible pair of socket types, in both directions, plain and with CURVE. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { pause, within } from "../support/until.ts";
import { type Binding, ForeignPeer, type PeerKeys, pyzmq, zeromqOnNode } from "../support/zmq_bindings.ts";
import * as zmq from "zeromesh/zmq";

/** A socket of either side. */
interface End {
  send(parts: Uint8Array[]): Promise<void>;
  receive(): Promise<Uint8Array[]>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const plain = (parts: readonly Uint8Array[]): string[] => parts.map((part) => new Uint8Array(part).toHex());
const empty = new Uint8Array(0);
const question = [
  bytes("frage"),
  empty,
  Uint8Array.from({ length: 256 }, (_, i) => i),
  new Uint8Array(10_000).fill(7),
];
const answer = [empty, bytes("äntwort"), empty];

/** The ids of sockets that have to know each other before the first message. */
const idOf = { first: "the-first", second: "the-second" };

async function carries(from: End, to: End, message: Uint8Array[], heard = message): Promise<void> {
  const received = to.receive();
  await from.send(message);
  assert.deepEqual(plain(await received), plain(heard));
}

/** Sends until a message arrives: before the subscription or the handshake, messages are dropped. */
async function carriesSometime(from: End, to: End, message: Uint8Array[], heard = message): Promise<void> {
  let over = false;
  const received = to.receive().finally(() => over = true);
  while (!over) {
    await from.send(message);
    await Promise.race([received, pause(5)]);
  }
  assert.deepEqual(plain(await received), plain(heard));
}

/** Sends nothing until the subscription has arrived. A socket sends that only while somebody calls it. */
async function carriesSubscribed(from: End, to: End): Promise<void> {
  const received = to.receive();
  assert.deepEqual(plain(await from.receive()), ["01"]);
  await from.send(question);
  assert.deepEqual(plain(await received), plain(question));
}

const subscribe = [Uint8Array.of(1)];

/** What the two sockets of a pair of types say to each other. */
const exchanges: readonly [
  first: keyof typeof classes,
  second: keyof typeof classes,
  (first: End, second: End) => Promise<void>,
][] = [
  ["PAIR", "PAIR", async (first, second) => {
    await carries(first, second, question);
    await carries(second, first, answer);
  }],
  ["PUB", "SUB", (first, second) => carriesSometime(first, second, question)],
  ["PUB", "XSUB", async (first, second) => {
    await second.send(subscribe);
    await carriesSometime(first, second, question);
  }],
  ["XPUB", "SUB", carriesSubscribed],
  ["XPUB", "XSUB", async (first, second) => {
    await second.send(subscribe);
    await carriesSubscribed(first, second);
  }],
  ["REQ", "REP", async (first, second) => {
    await carries(first, second, question);
    await carries(second, first, answer);
  }],
  ["REQ", "ROUTER", async (first, second) => {
    await first.send(question);
    const [id, delimiter, ...asked] = await second.receive();
    assert.deepEqual(plain(asked), plain(question));
    await carries(second, first, [id!, delimiter!, ...answer], answer);
  }],
  ["DEALER", "REP", async (first, second) => {
    await carries(first, second, [empty, ...question], question);
    await carries(second, first, answer, [empty, ...answer]);
  }],
  ["DEALER", "ROUTER", async (first, second) => {
    await first.send(question);
    const [id, ...asked] = await second.receive();
    assert.deepEqual(plain(asked), plain(question));
    await carries(second, first, [id!, ...answer], answer);
  }],
  ["DEALER", "DEALER", async (first, second) => {
    await carries(first, second, question);
    await carries(second, first, answer);
  }],
  ["ROUTER", "ROUTER", async (first, second) => {
    const [firstId, secondId] = [bytes(idOf.first), bytes(idOf.second)];
    await carriesSometime(first, second, [secondId, ...question], [firstId, ...question]);
    await carries(second, first, [firstId, ...answer], [secondId, ...answer]);
  }],
  ["PUSH", "PULL", (first, second) => carries(first, second, question)],
];

const classes = {
  PAIR: zmq.Pair,
  PUB: zmq.Publisher,
  SUB: zmq.Subscriber,
  XPUB: zmq.XPublisher,
  XSUB: zmq.XSubscriber,
  REQ: zmq.Request,
  REP: zmq.Reply,
  DEALER: zmq.Dealer,
  ROUTER: zmq.Router,
  PUSH: zmq.Push,
  PULL: zmq.Pull,
};

type Ours = zmq.Socket & End;

async function open(
  type: keyof typeof classes,
  options: { connect?: string; keys?: PeerKeys | undefined; routingId?: string | undefined },
): Promise<Ours> {
  const { keys, connect, routingId } = options;
  const Class = classes[type] as unknown as new (options: object) => Ours & zmq.Subscriber;
  const socket = new Class({
    linger: 0,
    ...(routingId === undefined ? {} : { routingId }),
    ...(keys === undefined ? {} : { curvePublicKey: keys.publicKey, curveSecretKey: keys.secretKey }),
    ...(keys === undefined
      ? {}
      : keys.serverKey === undefined
      ? { curveServer: true }
      : { curveServerKey: keys.serverKey }),
  });
  if (type === "SUB") socket.subscribe();
  if (connect !== undefined) socket.connect(connect);
  else await socket.bind("tcp://127.0.0.1:*");
  return socket;
}

/** The keys of both ends, or of none: whoever binds is the server. */
function keysOf(curve: boolean): { bound: PeerKeys | undefined; connected: PeerKeys | undefined } {
  if (!curve) return { bound: undefined, connected: undefined };
  const server = zmq.curveKeyPair();
  return { bound: server, connected: { ...zmq.curveKeyPair(), serverKey: server.publicKey } };
}

function declare(binding: Binding, curve: boolean): void {
  const how = curve ? "with CURVE" : "plain";
  const skip = typeof binding.command === "string" ? binding.command : false;
  test(
    `every pair of socket types of ours and of ${binding.name} exchanges messages, ${how}`,
    { skip },
    async () => {
      await using t = await socketCheck();
      const peer = t.use(new ForeignPeer(binding));
      for (const [first, second, exchange] of exchanges) {
        for (const oursFirst of [true, false]) {
          for (const oursBind of [true, false]) {
            const keys = keysOf(curve);
            const named = first === "ROUTER" && second === "ROUTER";
            const routingIds = named ? [idOf.first, idOf.second] : [undefined, undefined];
            const [ourType, theirType] = oursFirst ? [first, second] as const : [second, first] as const;
            const [ourId, theirId] = oursFirst ? routingIds : routingIds.toReversed();
            const title = `${ourType} of ours, which ${oursBind ? "binds" : "connects"}, and ${theirType}`;
            const their = oursBind
              ? undefined
              : await peer.open(theirType, { keys: keys.bound, routingId: theirId });
            const ours = await open(ourType, {
              ...(their === undefined ? {} : { connect: their.endpoint }),
              keys: oursBind ? keys.bound : keys.connected,
              routingId: ourId,
            });
            const theirs = their ??
              await peer.open(theirType, {
                connect: ours.lastEndpoint!,
                keys: keys.connected,
                routingId: theirId,
              });
            assert.equal(ours.securityMechanism, curve ? "curve" : null);
            const done = oursFirst ? exchange(ours, theirs) : exchange(theirs, ours);
            await within(done, 10_000, title);
            ours.close();
            await theirs.close();
          }
        }
      }
    },
  );
}

for (const binding of [pyzmq(), zeromqOnNode()]) {
  for (const curve of [false, true]) declare(binding, curve);
}
