/** A large message of `zeromesh/zmq`. */
import assert from "node:assert/strict";
import { longRun } from "../support/runtime.ts";
import { test } from "../support/testing.ts";
import { socketCheck } from "../support/zmq_sockets.ts";
import { linked } from "./zmq_sockets_kit.ts";
import * as zmq from "zeromesh/zmq";

const mebibytes = longRun ? 256 : 64;

test(`one part of ${mebibytes} MiB arrives unchanged, and it belongs to its receiver`, async () => {
  await using t = await socketCheck();
  const [push, pull] = await linked(new zmq.Push({ linger: 0 }), new zmq.Pull());
  t.defer(() => push.close());
  t.defer(() => pull.close());
  const sent = new Uint8Array(mebibytes * 2 ** 20);
  for (let at = 0; at < sent.length; at += 4_093) sent[at] = at & 255;
  await push.send(sent);
  // The sender may use its memory again, and so may the receiver.
  const [first, last] = [sent[4_093 * 7]!, sent[Math.floor((sent.length - 1) / 4_093) * 4_093]!];
  sent.fill(9);
  const [part] = await pull.receive();
  assert.equal(part!.length, sent.length);
  assert.deepEqual([part![4_093 * 7], part![Math.floor((part!.length - 1) / 4_093) * 4_093]], [first, last]);
  let wrong = 0;
  for (let at = 0; at < part!.length; at += 4_093) if (part![at] !== (at & 255)) wrong++;
  assert.equal(wrong, 0);
  part!.fill(1);
});
