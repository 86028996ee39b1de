/** A room in which everybody hears everybody. Without arguments it serves the room; with ENDPOINT and NAME it enters. */
import process from "node:process";
import { createInterface } from "node:readline";
import { Messenger } from "zeromesh";
import { chat } from "./contracts.ts";

type Said = { readonly from: string; readonly line: string };

/** What one member has not heard yet. */
class Ears {
  readonly #said: Said[] = [];
  #wake = Promise.withResolvers<void>();
  #gone = false;

  hear(said: Said): void {
    // Who listens too slowly misses the oldest.
    if (this.#said.push(said) > 1_000) this.#said.shift();
    this.#wake.resolve();
  }

  leave(): void {
    this.#gone = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Said> {
    while (!this.#gone) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      yield* this.#said.splice(0);
    }
  }
}

async function serve(): Promise<void> {
  const room = new Set<Ears>();
  const messenger = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
  const tell = (said: Said): void => room.forEach((ears) => ears.hear(said));
  messenger.handle(chat, async function* ({ input, headers }) {
    const from = headers["name"] ?? "somebody";
    const ears = new Ears();
    room.add(ears);
    const listen = async (): Promise<void> => {
      try {
        for await (const line of input) tell({ from, line });
      } catch {
        // Its caller is gone.
      } finally {
        ears.leave();
      }
    };
    void listen();
    try {
      tell({ from: "room", line: `${from} has come` });
      yield* ears;
    } finally {
      room.delete(ears);
      tell({ from: "room", line: `${from} has left` });
    }
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void messenger.close());
  console.log(`enter with: chat.ts ${messenger.endpoint} NAME`);
}

async function enter(endpoint: string, name: string): Promise<void> {
  await using messenger = await Messenger.create({ listen: false });
  const client = messenger.client({ chat }, { to: await messenger.connect(endpoint), headers: { name } });
  await using talk = client.chat();
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => void talk.send(line));
  lines.on("close", () => void talk.end());
  for await (const { from, line } of talk) console.log(`${from}: ${line}`);
  lines.close();
}

const [endpoint, name = "somebody"] = process.argv.slice(2);
if (endpoint === undefined) await serve();
else await enter(endpoint, name);
