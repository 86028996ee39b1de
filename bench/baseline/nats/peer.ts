/** NATS on Bun with its JavaScript client: a subscriber that responds, and `request`; `publish` without an answer. */
import { createRequire } from "node:module";
import { runClient, runServer, sendsBetweenPauses } from "../../peer/measure.ts";
import { Arguments } from "../../peer/protocol.ts";

// The used part of the package. It is installed on demand, so its own types may be absent.
interface Message {
  readonly data: Uint8Array;
  respond(data: Uint8Array): boolean;
}

interface Connection {
  subscribe(subject: string, options: { callback(error: Error | null, message: Message): void }): unknown;
  request(subject: string, data: Uint8Array, options: { timeout: number }): Promise<Message>;
  publish(subject: string, data: Uint8Array): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  readonly info?: { readonly version: string };
}

interface Nats {
  connect(options: { servers: string; noAsyncTraces: boolean }): Promise<Connection>;
}

const args = new Arguments();
const nats = createRequire(args.text("packages"))("@nats-io/transport-node") as Nats;
const open = (servers: string): Promise<Connection> => nats.connect({ servers, noAsyncTraces: true });

if (args.text("role") === "server") {
  await runServer(async (_, receipts) => {
    const connection = await open(args.text("endpoint"));
    connection.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });
    connection.subscribe("sink", { callback: () => receipts.count() });
    await connection.flush();
    return { endpoints: [args.text("endpoint")], library: connection.info?.version ?? "unknown" };
  });
} else {
  await runClient(async () => {
    const connection = await open(args.text("endpoints"));
    const done = Promise.resolve();
    let sent = 0;
    return {
      call: (payload) => connection.request("echo", payload, { timeout: 30_000 }),
      sizeOf: (answer) => answer.data.length,
      // A publisher is limited by its own flush only.
      send: (payload) => {
        connection.publish("sink", payload);
        return ++sent % sendsBetweenPauses === 0 ? connection.flush() : done;
      },
      flush: () => connection.flush(),
      close: () => connection.close(),
    };
  });
}
