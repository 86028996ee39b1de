/**
 * Sockets of the npm package `zeromq` on Node for the tests of `zeromesh/zmq`: one process serves many cases.
 *
 * It answers the same commands as `../python/zmq_peer.py`.
 */
import { createInterface } from "node:readline";
import * as zmq from "zeromq";

const timeoutMs = 10_000;
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
const sockets = new Map();

async function open({ name, type, bind, connect, keys, routingId }) {
  const socket = new classes[type]({ linger: 0 });
  for (const timeout of ["receiveTimeout", "sendTimeout"]) if (timeout in socket) socket[timeout] = timeoutMs;
  if (routingId !== undefined) socket.routingId = routingId;
  if (type === "SUB") socket.subscribe();
  if (keys !== undefined) {
    socket.curvePublicKey = keys.publicKey;
    socket.curveSecretKey = keys.secretKey;
    if (keys.serverKey === undefined) socket.curveServer = true;
    else socket.curveServerKey = keys.serverKey;
  }
  sockets.set(name, socket);
  if (!bind) {
    socket.connect(connect);
    return {};
  }
  await socket.bind("tcp://127.0.0.1:*");
  return { endpoint: socket.lastEndpoint };
}

async function answer(command) {
  if (command.do === "open") return await open(command);
  const socket = sockets.get(command.name);
  if (command.do === "send") await socket.send(command.parts.map((part) => Buffer.from(part, "hex")));
  if (command.do === "receive") {
    return { parts: (await socket.receive()).map((part) => part.toString("hex")) };
  }
  if (command.do === "close") socket.close();
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await answer(JSON.parse(line)).catch((error) => ({
    error: `${error.code} ${error.message}`,
  }));
  console.log(JSON.stringify(result));
}
process.exit(0);
