/** Helpers for the tests of the messenger: pairs of instances, failures with a limit, raw ZeroMQ peers. */
import assert from "node:assert/strict";
import type {
  HandlerStats,
  InstanceId,
  LogFields,
  Logger,
  Messenger,
  MessengerOptions,
} from "../../src/mod.ts";
import type { LeakCheck } from "../support/fixture.ts";
import { within } from "../support/until.ts";

/** Two instances, of which the client has dialled the server. */
export interface Pair {
  readonly server: Messenger;
  readonly client: Messenger;
  /** The server's id, as `connect` told it to the client. */
  readonly peer: InstanceId;
}

/** Makes a {@link Pair} that is closed with the fixture. */
export async function pair(
  t: LeakCheck,
  options: { server?: MessengerOptions; client?: MessengerOptions } = {},
): Promise<Pair> {
  const server = await t.messenger(options.server);
  const client = await t.messenger(options.client);
  const peer = await client.connect(server.endpoint);
  return { server, client, peer };
}

/** The expected properties of an error. Each given one is compared, a text by a pattern if it is one. */
export type Expected = Readonly<Record<string, unknown>>;

/** The error that a promise rejects with, which must look as expected and come before the time is up. */
export async function fails(
  promise: Promise<unknown>,
  expected: Expected,
  timeoutMs = 5_000,
): Promise<Error & { code?: string; ran?: string; details?: unknown; peer?: string; handler?: string }> {
  let failure: unknown;
  await within(
    assert.rejects(promise, (error) => {
      failure = error;
      return true;
    }),
    timeoutMs,
    `a failure like ${JSON.stringify(expected)}`,
  );
  looksLike(failure, expected);
  return failure as Error;
}

/** Compares an error with what it should be. */
export function looksLike(failure: unknown, expected: Expected): void {
  assert.throws(() => {
    throw failure;
  }, expected as unknown as Error);
}

/** The counters of a handler that is registered. */
export function counts(messenger: Messenger, name: string): HandlerStats {
  return messenger.stats().handlers.byHandler[name] ?? assert.fail(`no counters of ${name}`);
}

/** A logger that keeps its lines: what was said, and the facts beside it. */
export function keptLog(): {
  readonly logger: Logger;
  readonly lines: { message: string; fields: LogFields }[];
} {
  const lines: { message: string; fields: LogFields }[] = [];
  const keep = (message: string, fields: LogFields = {}) => void lines.push({ message, fields });
  return { logger: { debug: keep, info: keep, warn: keep, error: keep }, lines };
}

/** Checks that every message that came for a handler is counted in one place. */
export function balanced(stats: HandlerStats): void {
  const { issued, succeeded, failed, cancelled, rejected, inFlight, queued } = stats;
  assert.equal(issued, succeeded + failed + cancelled + rejected + inFlight + queued, JSON.stringify(stats));
}

/** Lets the event loop go round once. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The error that a function throws. */
export function thrown(run: () => unknown): Error & { code?: string } {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  assert.fail("it did not throw");
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text of bytes. */
export function text(of: Uint8Array): string {
  return new TextDecoder().decode(of);
}

/** A promise with its ends outside. Open ones are ended by the fixture. */
export function gate(t: LeakCheck): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  t.defer(() => resolve());
  return { opened: promise, open: () => resolve() };
}
