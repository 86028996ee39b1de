/** What the tests of `zeromesh/zmq` share. */
import { type LeakCheck, leakCheck } from "./fixture.ts";
import { pause } from "./until.ts";
import * as zmq from "zeromesh/zmq";

let warm: Promise<void> | undefined;

/** Makes what all sockets share and what stays until the end of the program. */
async function warmUp(): Promise<void> {
  const [one, other] = [new zmq.Pair({ receiveTimeout: 20 }), new zmq.Pair()];
  await one.bind("tcp://127.0.0.1:*");
  other.connect(one.lastEndpoint!);
  await one.receive().catch(() => {});
  one.close();
  other.close();
  await pause(20);
}

/** {@link leakCheck} of sockets: the context of all of them and its wait are there before, and stay. */
export async function socketCheck(): Promise<LeakCheck> {
  await (warm ??= warmUp());
  // libzmq ends sockets on a thread of its own, which on a busy machine may take seconds.
  return await leakCheck({ settleMs: 10_000 });
}
