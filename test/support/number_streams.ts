/** Calls whose streams are numbers in order, which show that none is lost, repeated or mixed up. */
import assert from "node:assert/strict";
import { z } from "zod";
import { contract, type InstanceId, type Messenger, stream, ZeromeshError } from "../../src/mod.ts";
import { until } from "./until.ts";

/** Numbers from 0, up to the input. */
export const down = contract("down", { input: z.number(), output: stream(z.number()) });
/** The count of numbers from 0. */
export const up = contract("up", { input: stream(z.number()), output: z.number() });

/** Serves both. Returns a list that grows by the way in which each call ends. */
export function serveNumbers(server: Messenger): string[] {
  const ended: string[] = [];
  const codeOf = (error: unknown) => error instanceof ZeromeshError ? error.code : String(error);
  server.handle(down, async function* ({ input, signal }) {
    try {
      for (let i = 0; i < input; i++) yield i;
    } finally {
      ended.push(`down ${signal.aborted ? codeOf(signal.reason) : "finished"}`);
    }
  });
  server.handle(up, async ({ input }) => {
    let next = 0;
    try {
      for await (const number of input) assert.equal(number, next++);
      ended.push("up finished");
    } catch (error) {
      ended.push(`up ${codeOf(error)}`);
      throw error;
    }
    return next;
  });
  return ended;
}

/** A pair of calls that are under way, and how they end. */
export interface Flow {
  /** Numbers that were read. */
  readonly read: number;
  /** Numbers that were sent. */
  readonly sent: number;
  /** The errors, or null, with which both ended. */
  readonly ends: Promise<readonly [down: unknown, up: unknown]>;
}

/** Reads numbers from, and sends numbers to, an instance until both calls end. */
export function flow(client: Messenger, to: InstanceId, count = Infinity): Flow {
  const remote = client.client({ down, up }, { to });
  const total = Math.min(count, Number.MAX_SAFE_INTEGER);
  const state = { read: 0, sent: 0 };
  const reading = async (): Promise<null> => {
    for await (const number of remote.down(total)) assert.equal(number, state.read++);
    assert.equal(state.read, total);
    return null;
  };
  const sending = async (): Promise<null> => {
    await using call = remote.up();
    for (; state.sent < total; state.sent++) await call.send(state.sent);
    await call.end();
    assert.equal(await call.result, total);
    return null;
  };
  const ends = Promise.all([reading().catch((error) => error), sending().catch((error) => error)]);
  return Object.assign(state, { ends });
}

/** Waits until both calls have passed more numbers than their windows hold. */
export async function flowing(calls: Flow, more = 3_000): Promise<void> {
  const { read, sent } = calls;
  await until(() => calls.read > read + more && calls.sent > sent + more, {
    message: "items in both directions",
  });
}

/** Checks that nothing is left of any stream. */
export async function nothingLeft(messenger: Messenger): Promise<void> {
  await until(() => {
    const { readers = 0, writers = 0, unclaimed = 0, unreadBytes = 0 } = messenger.stats().streams ?? {};
    return readers + writers + unclaimed + unreadBytes + messenger.stats().calls.pending === 0;
  }, { message: () => JSON.stringify(messenger.stats().streams) });
}
