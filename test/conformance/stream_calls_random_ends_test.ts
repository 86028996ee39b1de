/** Calls with streams that both sides end in random ways at random times: each end once, with the right code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { contract, type Messenger, stream, ZeromeshError } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { type Prng, prng } from "../support/prng.ts";
import { unhandledIn } from "../support/unhandled.ts";
import { until, within } from "../support/until.ts";
import { pair, turn } from "./messenger_kit.ts";

const errors = { BUSY: z.object({ at: z.number() }) };
const talk = contract("talk", { input: stream(z.number()), output: stream(z.number()), errors });
const sum = contract("sum", { input: stream(z.number()), output: z.number(), errors });
const late = z.number().refine(async (value) => await Promise.resolve(Number.isSafeInteger(value)));
const slow = contract("slow", { input: stream(late), output: stream(late), errors });

/** What a call's handler has seen. */
interface Seen {
  began: number;
  ended: number;
  readonly got: number[];
  /** Items that it has sent. */
  readonly given: number[];
  aborted: boolean;
  /** How the handler ends by itself. */
  own: "done" | "failed" | "declared" | "invalid" | null;
}

/** Waits for nothing, some microtasks, or some turns. */
async function whiles(random: Prng): Promise<void> {
  const kind = random.below(3);
  for (let i = random.below(8); kind > 0 && i > 0; i--) await (kind === 1 ? Promise.resolve() : turn());
}

/** The handler's side of all three contracts: reads, yields, and ends as the random numbers say. */
function behaviour(random: Prng, seen: Map<string, Seen>) {
  return async function* (context: {
    input: AsyncIterable<number>;
    headers: Readonly<Record<string, string>>;
    signal: AbortSignal;
    fail: (code: "BUSY", data: { at: number }) => Error;
  }): AsyncGenerator<number> {
    const own = seen.get(context.headers["call"]!)!;
    own.began++;
    context.signal.addEventListener("abort", () => own.aborted = true);
    const at = random.below(40);
    const way = random.below(6);
    try {
      await whiles(random);
      let count = 0;
      for await (const item of context.input) {
        own.got.push(item);
        if (random.below(3) > 0) {
          yield item;
          own.given.push(item);
        }
        if (random.below(4) === 0) await whiles(random);
        if (count++ < at) continue;
        if (way === 0) break;
        if (way === 1) {
          own.own = "failed";
          throw new Error("it broke");
        }
        if (way === 2) {
          own.own = "declared";
          throw context.fail("BUSY", { at });
        }
        if (way === 3) {
          own.own = "invalid";
          yield "x" as never;
          own.own = "failed";
          throw new Error("only where the output is no stream");
        }
      }
      own.own = "done";
    } finally {
      own.ended++;
    }
  };
}

/** How a caller has ended a call, besides its handler. */
const callersWays = ["nothing", "close", "signal", "leave", "invalid", "throw", "forget to end"] as const;

for (const kind of ["talk", "sum", "slow"] as const) {
  test(`${kind}: whatever both sides do, each call ends once on each side, with the code of one of them`, async () => {
    await using t = await leakCheck();
    const random = prng(`ends of ${kind}`);
    const { server, client, peer } = await pair(t);
    const seen = new Map<string, Seen>();
    const behave = behaviour(random, seen);
    const handle = (): Disposable => {
      const all = [
        server.handle(talk, (context) => behave(context as never)),
        server.handle(slow, (context) => behave(context as never)),
        server.handle(sum, async (context) => {
          let total = 0;
          for await (const item of behave(context as never)) total += item;
          return total;
        }),
      ];
      return { [Symbol.dispose]: () => all.forEach((one) => one[Symbol.dispose]()) };
    };
    let registered = handle();
    const remote = client.client({ talk, sum, slow }, { to: peer });

    const one = async (id: string): Promise<void> => {
      const own: Seen = { began: 0, ended: 0, got: [], given: [], aborted: false, own: null };
      seen.set(id, own);
      const way = random.pick(callersWays);
      const at = random.below(40);
      const total = random.below(60);
      const reason = new Error("the caller's own");
      const controller = new AbortController();
      const act = (i: number): unknown => {
        if (i !== at) return i;
        if (way === "signal") controller.abort(reason);
        if (way === "close") void call.close();
        if (way === "throw") throw reason;
        return way === "invalid" ? "x" : i;
      };
      const source = async function* (): AsyncGenerator<number> {
        // The call asks for the first item before it is there itself.
        await Promise.resolve();
        for (let i = 0; i < total; i++) {
          yield act(i) as number;
          if (random.below(4) === 0) await whiles(random);
        }
        // The call ends by its idleTimeoutMs, or has ended before.
        if (way === "forget to end") await call.closed;
      };
      const bySource = random.below(2) > 0;
      const options = {
        headers: { call: id },
        signal: controller.signal,
        ...way === "forget to end" ? { idleTimeoutMs: 5 } : {},
      };
      const call = remote[kind](bySource ? source() : undefined as never, options);
      const sent: unknown[] = [];
      const sending = async (): Promise<unknown> => {
        if (bySource) return null;
        const { send, end } = call as unknown as {
          send(item: unknown): Promise<void>;
          end(): Promise<void>;
        };
        try {
          for await (const item of source()) {
            sent.push(item);
            const sending = send.call(call, item);
            if (random.below(2) > 0) await sending;
          }
          await end.call(call);
          return null;
        } catch (error) {
          // What its handler does not take is no end of the call.
          if (error === reason || way === "invalid") await call.close();
          return error;
        }
      };
      const got: number[] = [];
      const reading = async (): Promise<unknown> => {
        try {
          if ("result" in call && kind === "sum") {
            return void await (call as { result: Promise<number> }).result;
          }
          for await (const item of call as unknown as AsyncIterable<number>) {
            got.push(item);
            if (way === "leave" && got.length > at) break;
          }
          return null;
        } catch (error) {
          return error;
        }
      };
      const [fromSends, ended, closed] = await within(
        Promise.all([sending(), reading(), call.closed]),
        10_000,
        `the ends of call ${id} (${way})`,
      );
      const what = `call ${id}: ${way}, ${
        bySource ? "source" : "sends"
      }, at ${at} of ${total}, handler ${own.own}`;
      // Each item once and in order, without a gap unless one was refused.
      const expected = way === "invalid" && !bySource ? sent.filter((item) => item !== "x") : own.got.keys();
      assert.deepEqual(own.got, [...expected].slice(0, own.got.length), what);
      assert.deepEqual(got, own.got.filter((item) => got.includes(item)), what);
      assert.ok(own.began <= 1, what);
      const error = ended ?? null;
      // The call may have failed before its caller has left the loop.
      const failed = way === "leave" && own.own !== "done" && closed !== "closed";
      if (error === null) assert.ok(failed || closed === "closed", `${what}: ${closed}`);
      else if (!(closed === "closed" && (error as ZeromeshError).code === "CANCELLED")) {
        assert.equal((closed as { cause?: unknown }).cause ?? closed, error, what);
      }
      const code = (error as ZeromeshError | null)?.code;
      const byHandler = error === null ? way !== "leave" : code === "HANDLER_FAILED" || code === "BUSY";
      if (byHandler && kind !== "sum") assert.deepEqual(got, own.given, `${what}: ${error}`);
      if (error !== null && error !== reason) {
        assert.ok(error instanceof ZeromeshError, `${what}: ${error}`);
        const codes: Record<string, boolean> = {
          CANCELLED: true,
          HANDLER_NOT_FOUND: own.began === 0,
          PAYLOAD_INVALID: way === "invalid",
          RESULT_INVALID: own.own === "invalid",
          HANDLER_FAILED: own.own === "failed",
          BUSY: own.own === "declared",
          TIMEOUT: way === "forget to end",
        };
        assert.ok(codes[error.code] === true, `${what}: ${error.code}: ${error.message}`);
        if (own.began > 0 && error.code !== "PAYLOAD_INVALID") {
          assert.notEqual(error.ran, "no", `${what}: ${error}`);
        }
        if (error.ran === "no" && error.code !== "PAYLOAD_INVALID") assert.equal(own.began, 0, what);
      }
      if (fromSends !== null && fromSends !== reason) {
        assert.ok(fromSends instanceof ZeromeshError, `${what}: ${fromSends}`);
      }
    };

    const unhandled = await unhandledIn(async () => {
      let next = 0;
      const lane = async (): Promise<void> => {
        while (next < 400) {
          const id = String(next++);
          if (random.below(60) === 0) {
            registered[Symbol.dispose]();
            registered = handle();
          }
          await one(id);
        }
      };
      const lanes = await Promise.allSettled(Array.from({ length: 8 }, lane));
      for (const lane of lanes) if (lane.status === "rejected") throw lane.reason;
    });
    assert.deepEqual(unhandled, []);
    const left = (messenger: Messenger) => {
      const { streams, calls, handlers } = messenger.stats();
      const { readers = 0, writers = 0, unclaimed = 0, unreadBytes = 0 } = streams ?? {};
      return [readers, writers, unclaimed, unreadBytes, calls.pending, handlers.running].join();
    };
    await until(() => left(client) === "0,0,0,0,0,0" && left(server) === "0,0,0,0,0,0", {
      message: () => `${left(client)} ${left(server)}`,
    });
    await until(() => [...seen.values()].every(({ began, ended }) => began === ended), {
      message: "the end of each handler",
    });
  });
}
