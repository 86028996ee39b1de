/**
 * Programs of `transport_*_test.ts`: `transport_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its own,
 * the first word says what it is. Commands come on standard input, one a line.
 */
import process from "node:process";
import {
  amHandler,
  type InstanceId,
  Messenger,
  type MessengerOptions,
  unaryHandler,
} from "../../../src/mod.ts";

const encoder = new TextEncoder();

function say(...words: readonly unknown[]): void {
  console.log(words.join(" "));
}

function commands(take: (command: string) => void): void {
  process.stdin.on("data", (text: Uint8Array | string) => {
    for (const line of String(text).split("\n")) if (line.trim() !== "") take(line.trim());
  });
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/**
 * Registers what the tests ask for: `echo`; `hold`, which never answers; `n`, which takes numbered messages and
 * falls asleep now and then; `counts`, which tells what came of them.
 */
function register(messenger: Messenger, sleepEvery: number): void {
  let [next, wrong, held] = [0, 0, 0];
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("who", () => encoder.encode(messenger.instanceId)));
  messenger.registerHandler(unaryHandler("hold", () => {
    held++;
    return new Promise<never>(() => {});
  }));
  messenger.registerHandler(amHandler("n", ({ payload }) => {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0);
    if (number !== next) wrong++;
    next = number + 1;
    if (sleepEvery > 0 && number % sleepEvery === 0) block(1);
  }));
  messenger.registerHandler(
    unaryHandler("counts", () => encoder.encode(JSON.stringify({ next, wrong, held }))),
  );
}

function closeOnCommand(messengers: readonly Messenger[]): void {
  commands((command) => {
    if (command === "exit") process.exit(0);
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
  },

  /** So many instances that do not listen, all connected to an endpoint. */
  async clients(endpoint, count) {
    const clients: Messenger[] = [];
    let peer: InstanceId | undefined;
    for (let left = Number(count); left > 0; left -= 50) {
      const some = await Promise.all(
        Array.from(
          { length: Math.min(50, left) },
          () => Messenger.create({ listen: false, timeoutMs: 60_000 }),
        ),
      );
      for (const client of some) register(client, 0);
      clients.push(...some);
      const ids = await Promise.all(some.map((client) => client.connect(endpoint!, { timeoutMs: 30_000 })));
      peer = ids[0];
    }
    say("ready", clients.length);
    process.stdin.on("data", () => {});
    commands(async (command) => {
      if (command !== "call") return;
      const answers = await Promise.all(clients.map(async (client, i) => {
        const answer = await client.unary("echo", { to: peer!, rawPayload: encoder.encode(`${i}`) });
        return new TextDecoder().decode(answer) === `${i}` ? 1 : 0;
      }));
      say("answers", answers.reduce((sum: number, one) => sum + one, 0));
    });
    closeOnCommand(clients);
  },

  /** Closes and creates an instance with a file of its own, then ends without closing the last one. */
  async leave(endpoint, how) {
    await Messenger.create({ endpoint: endpoint! });
    say("ready");
    if (how === "exit") process.exit(0);
  },
};

const [role = "", ...args] = process.argv.slice(2);
await roles[role]?.(...args);
