/** Timers of actors, in virtual time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { actor, type ActorContext, ActorSystem } from "../../src/actors/mod.ts";
import { FakeClock } from "../unit/core_fake_clock.ts";
import { until, within } from "../support/until.ts";

interface Seen {
  calls: string[];
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const encode = (text: string) => new TextEncoder().encode(text);

/** An actor that runs the functions that tests give it. */
function scripted(run: (ctx: ActorContext<Seen>, text: string) => unknown) {
  return actor({
    init: (): Seen => ({ calls: [] }),
    tell: { run: (ctx, bytes) => run(ctx, decode(bytes)) },
    ask: { calls: (ctx) => encode(ctx.state.calls.join(" ")) },
  });
}

test("after calls once as a turn of its actor, and not when it was disposed of before its turn", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  const timers: Disposable[] = [];
  const ref = await system.spawn(scripted((ctx, text) => {
    timers.push(ctx.after(100, () => void ctx.state.calls.push(text)));
  }));
  await ref.tell("run", encode("a"));
  await ref.tell("run", encode("b"));
  const calls = async () => decode(await ref.ask("calls", encode("")));
  assert.equal(await calls(), "");
  clock.advance(90);
  assert.equal(await calls(), "");
  timers[1]![Symbol.dispose]();
  clock.advance(20);
  assert.equal(await calls(), "a");
  // One that is due but whose turn has not come is taken back too.
  await ref.tell("run", encode("c"));
  assert.equal(await calls(), "a");
  system.pause(ref);
  clock.advance(110);
  timers[2]![Symbol.dispose]();
  system.resume(ref);
  assert.equal(await calls(), "a");
});

test("every calls at its times, once for all that have passed while the actor was behind", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock });
  let timer: Disposable | null = null;
  const ref = await system.spawn(scripted((ctx) => {
    timer = ctx.every(100, () => void ctx.state.calls.push(String(clock.now())));
  }));
  await ref.tell("run", encode(""));
  const calls = async () => decode(await ref.ask("calls", encode(""))).split(" ").filter((one) => one !== "");
  await calls();
  for (let count = 1; count <= 3; count++) {
    clock.advance(100);
    await calls();
  }
  assert.ok((await calls()).length >= 2, String(await calls()));
  const before = (await calls()).length;
  system.pause(ref);
  for (let count = 0; count < 10; count++) {
    clock.advance(100);
    await Promise.resolve();
  }
  system.resume(ref);
  assert.equal((await calls()).length, before + 1);
  timer![Symbol.dispose]();
  clock.advance(1_000);
  assert.equal((await calls()).length, before + 1);
});

test("timers end with their actor, and their number is bounded", async () => {
  const clock = new FakeClock();
  await using system = ActorSystem.local({ clock, maxTimers: 2 });
  let ticks = 0;
  let zombie: ActorContext<Seen> | null = null;
  const ref = await system.spawn(scripted((ctx) => {
    zombie = ctx;
    ctx.every(10, () => void ticks++);
  }));
  await ref.tell("run", encode(""));
  await ref.tell("run", encode(""));
  await ref.tell("run", encode(""));
  await until(() => system.lookup(ref)?.failed === 1);
  clock.advance(20);
  await until(() => ticks === 2);
  system.terminate(ref);
  clock.advance(100);
  await Promise.resolve();
  const { started } = clock;
  for (let count = 0; count < 10; count++) {
    clock.advance(10);
    await Promise.resolve();
  }
  assert.equal(ticks, 2);
  assert.equal(clock.started, started, "no timer of the actor goes on");
  assert.throws(() => zombie!.after(1, () => {}), { code: "ACTOR_STOPPED" });
});

test("a handler may not give a timer a wrong time or function", async () => {
  await using system = ActorSystem.local();
  const errors: unknown[] = [];
  const ref = await system.spawn(scripted((ctx) => {
    for (const ms of [-1, Number.NaN, "5"]) {
      try {
        ctx.after(ms as number, () => {});
      } catch (error) {
        errors.push(error);
      }
    }
    try {
      ctx.every(0, () => {});
    } catch (error) {
      errors.push(error);
    }
    try {
      ctx.after(1, "x" as never);
    } catch (error) {
      errors.push(error);
    }
  }));
  await ref.tell("run", encode(""));
  await within(ref.ask("calls", encode("")), 5_000);
  assert.deepEqual(
    errors.map((error) => (error as Error).name),
    ["RangeError", "TypeError", "TypeError", "RangeError", "TypeError"],
  );
});

test("an ask from a timer's turn is part of the ring of asks", async () => {
  await using system = ActorSystem.local();
  let failure: unknown = null;
  const ref = await system.spawn(actor({
    init: () => null,
    tell: {
      run: (ctx) =>
        void ctx.after(1, async (own) => {
          try {
            await own.ask(own.self, "echo", encode(""));
          } catch (error) {
            failure = error;
          }
        }),
    },
    ask: { echo: (_ctx, bytes) => bytes },
  }));
  await ref.tell("run", encode(""));
  const error = await until(() => failure);
  assert.equal((error as { code: string }).code, "ACTOR_ASK_CYCLE");
});
