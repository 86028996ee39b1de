/**
 * An active message executor on its own: a handler with shared state, two handlers at a time, and a loop that reads how
 * each request ended.
 */
import { ActiveMessageExecutor, type ActiveMessageHandlerObject } from "zeromesh/executor";

/** A handler with state, to which every message adds. */
class Ledger implements ActiveMessageHandlerObject {
  readonly entries: string[] = [];

  async handleMessage(data: Uint8Array): Promise<void> {
    const entry = new TextDecoder().decode(data);
    await Promise.resolve(); // where a real one would write to a file or a database
    if (entry === "") throw new Error("an entry must not be empty");
    this.entries.push(entry);
  }
}

const ledger = new Ledger();
const executor = new ActiveMessageExecutor({ concurrency: 2 });
executor.registerHandlers({
  book: ledger,
  check: (data) => {
    if (data.length > 8) throw new RangeError(`${data.length} bytes are too many`);
  },
});

async function listen(): Promise<void> {
  for await (const { notification, isSuccess } of executor.responses) {
    console.log(`${isSuccess ? "done" : "FAILED"} ${notification}`);
  }
}

const listening = listen();
const requests = [
  ["book", "rent", "req:1"],
  ["check", "ten letters", "req:2"],
  ["book", "", "req:3"],
  ["burn", "rent", "req:4"],
  ["book", "food", undefined], // nobody wants to know
] as const;
for (const [messageType, text, responseNotification] of requests) {
  await executor.send({ messageType, messageData: new TextEncoder().encode(text), responseNotification });
}
await executor.close({ drain: true });
await listening;
console.log(`the ledger has ${ledger.entries.join(", ")}`);
