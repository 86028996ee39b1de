/**
 * Programs of `events_*_test.ts`: `events_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its own, the
 * first word says what it is. Commands come on standard input, one a line.
 */
import process from "node:process";
import { amHandler, type DistributedEvent, eventHandle, Messenger, unaryHandler } from "../../../src/mod.ts";
import { collectGarbage } from "../collect.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function say(...words: readonly unknown[]): void {
  console.log(words.join(" "));
}

function commands(take: (words: string[]) => void): void {
  let rest = "";
  process.stdin.on("data", (text: Uint8Array | string) => {
    const lines = (rest + String(text)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") take(line.trim().split(" "));
  });
}

/** Memory in use, in bytes, after collecting what nobody needs. */
function memory(): { heap: number; rss: number } {
  collectGarbage();
  const { heapUsed, rss } = process.memoryUsage();
  return { heap: heapUsed, rss };
}

const roles: Record<string, (...args: string[]) => Promise<void>> = {
  /** Owns events: `make N` says their handles, `trigger I JSON`, `poison I REASON`, `stats`. */
  async owner(endpoint) {
    const messenger = await Messenger.create(endpoint === undefined ? {} : { endpoint });
    const made: DistributedEvent[] = [];
    messenger.registerHandler(unaryHandler("make", () => {
      const event = messenger.events.newEvent();
      event.intoHandle();
      made.push(event);
      return encoder.encode(String(event.handle));
    }));
    messenger.registerHandler(unaryHandler("fresh", () => {
      const event = messenger.events.newEvent();
      event.trigger();
      return encoder.encode(String(event.handle));
    }));
    messenger.registerHandler(unaryHandler("memory", () => encoder.encode(JSON.stringify(memory()))));
    messenger.registerHandler(amHandler("release", ({ payload }) => {
      messenger.events.trigger(eventHandle(decoder.decode(payload))).catch((error) => say("error", error));
    }));
    commands(([command, first, ...others]) => {
      if (command === "make") {
        const events = Array.from({ length: Number(first) }, () => messenger.events.newEvent());
        made.push(...events);
        say("handles", events.map(({ handle }) => handle).join(" "));
      } else if (command === "trigger") made[Number(first)]!.trigger(JSON.parse(others.join(" ")));
      else if (command === "triggerAll") made.forEach((event, i) => event.trigger(i));
      else if (command === "poison") made[Number(first)]!.poison(others.join(" "));
      else if (command === "close") void messenger.close().then(() => process.exit(0));
    });
    say("ready", messenger.endpoint, messenger.instanceId);
    const report = () => say("subscribers", messenger.stats().events?.subscribers?.subscribers ?? 0);
    let last = -1;
    setInterval(() => {
      const now = messenger.stats().events?.subscribers?.subscribers ?? 0;
      if (now !== last) report();
      last = now;
    }, 10);
  },

  /** Awaits events of the instance at an endpoint: `await HANDLE…` says `woke HANDLE JSON` or `failed HANDLE CODE`. */
  async waiter(endpoint) {
    const messenger = await Messenger.create({ listen: false });
    await messenger.connect(endpoint!);
    commands(([command, ...handles]) => {
      if (command === "await") {
        for (const handle of handles) {
          messenger.events.awaiter(eventHandle(handle)).then(
            (value) => say("woke", handle, JSON.stringify(value)),
            (error: { code?: string; message: string }) => say("failed", handle, error.code, error.message),
          );
        }
        say("awaiting", handles.length);
      } else if (command === "awaitAll") {
        Promise.all(handles.map((handle) => messenger.events.awaiter<number>(eventHandle(handle)))).then(
          (values) => say("all", values.length, values.every((value, i) => value === i)),
          (error: { code?: string }) => say("failed", error.code),
        );
      } else if (command === "close") void messenger.close().then(() => process.exit(0));
    });
    say("ready");
  },

  /** Meets others at a barrier of the instance at an endpoint, so many rounds. */
  async barrier(endpoint, count, rounds) {
    await using messenger = await Messenger.create({ listen: false });
    const at = await messenger.connect(endpoint!);
    const barrier = messenger.events.barrier("start", Number(count), { at });
    for (let round = 0; round < Number(rounds); round++) {
      say("arrived", round);
      await barrier.arrive({ timeoutMs: 20_000 });
      say("through", round);
    }
  },

  /** Makes, awaits and completes so many events with the instance at an endpoint, and says what memory that takes. */
  async cycles(endpoint, first, all) {
    await using messenger = await Messenger.create({ listen: false });
    const to = await messenger.connect(endpoint!);
    let done = 0;
    const run = async (until: number): Promise<void> => {
      await Promise.all(Array.from({ length: 64 }, async () => {
        while (done < until) {
          done++;
          if (done % 2 === 0) {
            // An event of the other instance, complete before it is asked for.
            const handle = eventHandle(decoder.decode(await messenger.unary("fresh", { to })));
            await messenger.events.awaiter(handle);
          } else {
            // One of this instance, which the other one triggers.
            const event = messenger.events.newEvent();
            const waiting = messenger.events.awaiter(event.handle);
            await messenger.amSend("release", { to, rawPayload: encoder.encode(String(event.handle)) });
            await waiting;
          }
        }
      }));
    };
    const report = async (): Promise<void> => {
      const owner = JSON.parse(decoder.decode(await messenger.unary("memory", { to })));
      say("memory", done, JSON.stringify({ owner, subscriber: memory() }));
    };
    await run(Number(first));
    await report();
    await run(Number(all));
    await report();
  },
};

const [role = "", ...args] = process.argv.slice(2);
await roles[role]?.(...args);
