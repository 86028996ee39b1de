/** An upload that reports its progress: one process stores, the other one sends. */
import process from "node:process";
import { Messenger } from "zeromesh";
import { store } from "./contracts.ts";

async function serve(): Promise<void> {
  const messenger = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
  messenger.handle(store, async function* ({ input }) {
    let stored = 0;
    for await (const part of input) {
      stored += part.length;
      yield { stored };
    }
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void messenger.close());
  console.log(`upload with: upload.ts ${messenger.endpoint} BYTES`);
}

/** The parts of a file that is made up. */
async function* parts(bytes: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const partBytes = 64 * 1024;
  for (let sent = 0; sent < bytes; sent += partBytes) yield new Uint8Array(Math.min(partBytes, bytes - sent));
}

async function upload(endpoint: string, bytes: number): Promise<void> {
  await using messenger = await Messenger.create({ listen: false });
  const client = messenger.client({ store }, { to: await messenger.connect(endpoint) });
  let shown = 0;
  for await (const { stored } of client.store(parts(bytes), { idleTimeoutMs: 10_000 })) {
    const percent = Math.floor(stored / bytes * 100);
    if (percent >= shown + 25) console.log(`${shown = percent - percent % 25} %`);
  }
  console.log(`${bytes} bytes are stored`);
}

const [endpoint, bytes = "1048576"] = process.argv.slice(2);
if (endpoint === undefined) await serve();
else await upload(endpoint, Number(bytes));
