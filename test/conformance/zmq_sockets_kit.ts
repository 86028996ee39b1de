/** What tests of `zeromesh/zmq` share. */
import assert from "node:assert/strict";
import type * as zmq from "zeromesh/zmq";

/** Two sockets over TCP, the first one bound. */
export async function linked<A extends zmq.Socket, B extends zmq.Socket>(
  bound: A,
  connected: B,
): Promise<[A, B]> {
  await bound.bind("tcp://127.0.0.1:*");
  connected.connect(bound.lastEndpoint!);
  return [bound, connected];
}

/** The error of a call that must throw, or whose promise must be rejected. */
export async function failure(call: Promise<unknown> | (() => unknown)): Promise<zmq.ErrnoError> {
  try {
    await (typeof call === "function" ? call() : call);
  } catch (error) {
    return error as zmq.ErrnoError;
  }
  return assert.fail("it did not fail");
}
