/**
 * Programs of `transport_*_test.ts`: `transport_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its own,
 * the first word says what it is. Commands come on standard input, one a line.
 */
import { existsSync } from "node:fs";
import process from "node:process";
import { Worker, workerData } from "node:worker_threads";
import {
  amHandler,
  type InstanceId,
  Messenger,
  type MessengerOptions,
  unaryHandler,
} from "../../../src/mod.ts";
import { collectGarbage } from "../collect.ts";

const encoder = new TextEncoder();

function say(...words: readonly unknown[]): void {
  console.log(words.join(" "));
}

function commands(take: (command: string) => void): void {
  process.stdin.on("data", (text: Uint8Array | string) => {
    for (const line of String(text).split("\n")) if (line.trim() !== "") take(line.trim());
  });
}

const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Lets JavaScript stand still, without work for the processor: the other files of the run need it. */
function block(ms: number): void {
  Atomics.wait(asleep, 0, 0, ms);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Registers what the tests ask for: `echo`; `hold`, which never answers; `collect`; `heed`, which ends when nobody waits any
 * more; `n`, which takes numbered messages, and `en`, which gives them back, both falling asleep now and then;
 * `counts`, which tells what came of them; `guests`, which counts who has dialled; `once`, which gives numbered messages back in any order, and `seen`, which
 * tells of it.
 */
function register(messenger: Messenger, sleepEvery: number): void {
  let [next, wrong, held] = [0, 0, 0];
  const seen = new Map<number, number>();
  const numberIn = (payload: Uint8Array): number =>
    new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
  const take = (payload: Uint8Array): void => {
    const number = numberIn(payload);
    if (number !== next) wrong++;
    next = number + 1;
    if (sleepEvery > 0 && number % sleepEvery === 0) block(1);
  };
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("who", () => encoder.encode(messenger.instanceId)));
  messenger.registerHandler(unaryHandler("hold", () => {
    held++;
    return new Promise<never>(() => {});
  }));
  messenger.registerHandler(unaryHandler("heed", ({ signal }) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    })));
  messenger.registerHandler(unaryHandler("collect", ({ payload }) => {
    collectGarbage();
    return payload;
  }));
  messenger.registerHandler(amHandler("n", ({ payload }) => take(payload)));
  messenger.registerHandler(unaryHandler("en", ({ payload }) => {
    take(payload);
    return payload;
  }));
  messenger.registerHandler(
    unaryHandler("counts", () => encoder.encode(JSON.stringify({ next, wrong, held }))),
  );
  messenger.registerHandler(unaryHandler("guests", () => {
    const { accepted, silent } = messenger.stats().transport;
    return encoder.encode(JSON.stringify({ accepted, silent }));
  }));
  messenger.registerHandler(unaryHandler("once", ({ payload }) => {
    const number = numberIn(payload);
    seen.set(number, (seen.get(number) ?? 0) + 1);
    return payload;
  }));
  messenger.registerHandler(unaryHandler("seen", () => encoder.encode(JSON.stringify([...seen]))));
}

/** Every kind of call, good and bad, until it is told to stop; resolves to how many, and to what went wrong. */
async function mixed(
  messenger: Messenger,
  to: InstanceId,
  stopped: () => boolean,
): Promise<[number, string[]]> {
  let done = 0;
  const wrong: string[] = [];
  const outcome = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => "fine",
      // An abort's code is a number from the time of its ancestors.
      (error: { code?: string; name: string }) =>
        error.name === "AbortError" ? error.name : error.code ?? error.name,
    );
  const kinds: (() => Promise<boolean>)[] = [
    async () => await outcome(messenger.amSend("n", { to, rawPayload: new Uint8Array(200) })) === "fine",
    async () => await outcome(messenger.amSync("n", { to, rawPayload: new Uint8Array(50) })) === "fine",
    async () => await outcome(messenger.unary("nobody", { to })) === "HANDLER_NOT_FOUND",
    async () => await outcome(messenger.unary("heed", { to, timeoutMs: 20 })) === "TIMEOUT",
    async () => {
      const controller = new AbortController();
      const call = outcome(messenger.unary("heed", { to, signal: controller.signal }));
      await pause(1);
      controller.abort();
      return await call === "AbortError";
    },
    ...[0, 100, 20_000, 200_000].map((size) => async () =>
      (await messenger.unary("echo", { to, rawPayload: new Uint8Array(size) })).length === size
    ),
  ];
  await Promise.all(Array.from({ length: 4 }, async (_, lane) => {
    for (let i = lane; !stopped(); i++) {
      const kind = i % kinds.length;
      if (!await kinds[kind]!()) wrong.push(`kind ${kind}`);
      done++;
    }
  }));
  return [done, wrong];
}

function closeOnCommand(messengers: readonly Messenger[]): void {
  commands((command) => {
    if (command === "exit") process.exit(0);
    if (command === "collect") collectGarbage();
    if (command !== "close") return;
    process.stdin.destroy();
    void Promise.all(messengers.map((messenger) => messenger.close())).then(() => say("closed"));
  });
}

const roles: Record<string, (...args: string[]) => Promise<void>> = {
  /** An instance with these options; tells its peer info. */
  async serve(json, sleepEvery = "0") {
    const options = JSON.parse(json ?? "{}") as MessengerOptions;
    const messenger = await Messenger.create(options);
    register(messenger, Number(sleepEvery));
    say("ready", JSON.stringify({ info: messenger.peerInfo(), endpoints: messenger.endpoints }));
    closeOnCommand([messenger]);
    // `block MS [FILE]`: JavaScript stands still, also until there is such a file; libzmq's threads do not.
    commands((command) => {
      const [, ms, file] = /^block (\d+)(?: (.+))?$/.exec(command) ?? [];
      if (ms === undefined) return;
      say("blocking");
      block(Number(ms));
      while (file !== undefined && !existsSync(file)) block(10);
    });
  },

  /** So many instances that do not listen, all connected to an endpoint. */
  async clients(endpoint, count, json = "{}") {
    const options = JSON.parse(json) as MessengerOptions;
    const clients: Messenger[] = [];
    let peer: InstanceId | undefined;
    for (let left = Number(count); left > 0; left -= 50) {
      const some = await Promise.all(
        Array.from(
          { length: Math.min(50, left) },
          () => Messenger.create({ listen: false, timeoutMs: 60_000, ...options }),
        ),
      );
      for (const client of some) register(client, 0);
      clients.push(...some);
      const ids = await Promise.all(some.map((client) => client.connect(endpoint!, { timeoutMs: 30_000 })));
      peer = ids[0];
    }
    say("ready", clients.length);
    const right = async (name: string): Promise<number> => {
      const answers = await Promise.all(clients.map(async (client, i) => {
        const answer = await client.unary(name, { to: peer!, rawPayload: encoder.encode(`${i}`) });
        return new TextDecoder().decode(answer) === `${i}` ? 1 : 0;
      }));
      return answers.reduce((sum: number, one) => sum + one, 0);
    };
    commands(async (command) => {
      const name = /^call (\w+)$/.exec(command)?.[1];
      if (name !== undefined) say("answers", name, await right(name));
    });
    closeOnCommand(clients);
  },

  /** Closes and creates an instance with a file of its own, then ends without closing the last one. */
  async leave(endpoint, how) {
    await Messenger.create({ endpoint: endpoint! });
    say("ready");
    if (how === "exit") process.exit(0);
  },

  /**
   * `cycle N`: connects, calls and disconnects so many times, every tenth time with an instance of its own. `create N`:
   * creates and closes so many instances. Says how many that makes by now.
   */
  async cycle(endpoint) {
    const messenger = await Messenger.create({ listen: false, redialForMs: 0 });
    const once = async (of: Messenger, handler = "echo"): Promise<void> => {
      const peer = await of.connect(endpoint!);
      await of.unary(handler, { to: peer, rawPayload: new Uint8Array(100) });
      of.disconnect(peer);
    };
    const done = { cycle: 0, create: 0 };
    const kinds: Record<keyof typeof done, (i: number) => Promise<void>> = {
      async cycle(i) {
        if (i % 10 !== 0) return await once(messenger);
        const other = await Messenger.create();
        await once(other);
        await other.close();
      },
      async create() {
        await (await Messenger.create()).close();
      },
    };
    say("ready");
    commands(async (command) => {
      const found = /^(cycle|create) (\d+)$/.exec(command);
      if (found === null) return;
      const kind = found[1] as keyof typeof done;
      for (let left = Number(found[2]); left > 0; left--) {
        await kinds[kind](done[kind]++);
        if (left % 50 !== 1) continue;
        // What a program never collects shows how lazy the collector is, not what is kept.
        await once(messenger, "collect");
        await pause(0);
        collectGarbage();
      }
      say("done", kind, done[kind]);
    });
    closeOnCommand([messenger]);
  },

  /** Sends numbered messages as fast as they are taken, until it is killed. */
  async flood(endpoint, json = "{}") {
    const messenger = await Messenger.create({ timeoutMs: 60_000, ...JSON.parse(json) as MessengerOptions });
    const to = await messenger.connect(endpoint!);
    register(messenger, 0);
    say("ready", messenger.instanceId);
    const payload = new Uint8Array(64);
    for (;;) {
      for (let i = 0; i < 256; i++) void messenger.amSend("flood", { to, rawPayload: payload });
      await messenger.flush(to);
      await new Promise((resolve) => setImmediate(resolve));
    }
  },

  /** Makes thousands of calls, then stands still for a while; says how many have ended. */
  async victim(endpoint) {
    const messenger = await Messenger.create({ redialForMs: 0 });
    const to = await messenger.connect(endpoint!);
    let ended = 0;
    const end = (): void => void ended++;
    const payload = new Uint8Array(6_000);
    const calls = Array.from(
      { length: 3_000 },
      () => messenger.unary("echo", { to, rawPayload: payload }).then(end, end),
    );
    await messenger.flush(to);
    say("blocking");
    block(4_000);
    await Promise.all(calls);
    say("awake", ended);
    await messenger.close();
  },

  /** Traffic of every kind until `stop`. */
  async mix(endpoint) {
    const messenger = await Messenger.create();
    const peer = await messenger.connect(endpoint!);
    let stopped = false;
    commands((command) => {
      if (command === "stop") stopped = true;
    });
    say("ready");
    const [done, wrong] = await mixed(messenger, peer, () => stopped);
    say("mixed", done, JSON.stringify(wrong.slice(0, 10)));
    process.stdin.destroy();
    await messenger.close();
  },

  /** An instance in a Worker that calls two endpoints one after the other; the first one is killed meanwhile. */
  async worker(first, second, end) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { first, second, end } });
    worker.on("message", async (line: string) => {
      say(line);
      if (line === "served" && end === "terminate") {
        await worker.terminate();
        say("gone");
      }
    });
    worker.on("error", (error: unknown) => say("error", String(error)));
    await new Promise((resolve) => worker.once("exit", resolve));
  },
};

/** What the Worker does: calls, waits for the first peer's death, calls the second, closes or is terminated. */
async function inWorker(first: string, second: string, end: string): Promise<void> {
  const { parentPort } = await import("node:worker_threads");
  const tell = (...words: readonly unknown[]): void => parentPort!.postMessage(words.join(" "));
  const messenger = await Messenger.create({ listen: false, redialForMs: 0 });
  const echoes = async (to: InstanceId): Promise<number> => {
    const answers = await Promise.all(
      Array.from(
        { length: 500 },
        (_, i) => messenger.unary("echo", { to, rawPayload: encoder.encode(`${i}`) }),
      ),
    );
    return answers.filter((answer, i) => new TextDecoder().decode(answer) === `${i}`).length;
  };
  const peer = await messenger.connect(first);
  tell("echoes", await echoes(peer));
  const calls = Array.from({ length: 200 }, () =>
    messenger.unary("hold", { to: peer }).then(
      () => "answered",
      ({ code, ran }: { code: string; ran: string }) => `${code} ${ran}`,
    ));
  const counted = async (): Promise<number> => {
    const answer = await messenger.unary("counts", { to: peer });
    return JSON.parse(new TextDecoder().decode(answer)).held;
  };
  while (await counted() < 200);
  tell("holding");
  const outcomes = await Promise.all(calls);
  tell("outcomes", JSON.stringify([...new Set(outcomes)]));
  const other = await messenger.connect(second);
  tell("again", await echoes(other));
  if (end === "terminate") {
    const pump = (): void => {
      void echoes(other).then(pump, () => {});
    };
    pump();
  }
  tell("served");
  if (end !== "close") return;
  await messenger.close();
  tell("closed");
}

const task = workerData as { first?: string; second: string; end: string } | null | undefined;
if (task?.first !== undefined) {
  await inWorker(task.first, task.second, task.end);
} else {
  const [role = "", ...args] = process.argv.slice(2);
  await roles[role]?.(...args);
}
