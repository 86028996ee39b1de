/** Two processes call each other over libzmq: this one is the client, and it starts the service. */
import process from "node:process";
import { type LibraryInfo, Messenger, ZeromeshError } from "zeromesh";
import { runtimeName, startPeerProcess } from "../peer_process.ts";
import { formatDuration, measureRoundTrips, type RoundTrips } from "../round_trips.ts";
import { add, bill, price } from "./contract.ts";

const rounds = 2_000;
const prices = new Map([["apple", 3], ["pear", 4], ["plum", 5]]);

async function quickstart(): Promise<RoundTrips> {
  await using messenger = await Messenger.create({ timeoutMs: 10_000 });
  console.log(`Two processes on ${runtimeName()}, with ${describeLibrary(messenger.library)}`);

  await using service = await startPeerProcess(new URL("./service.ts", import.meta.url));
  console.log(`Service (process ${service.pid}) listens on ${service.endpoint}`);
  const peer = await messenger.connect(service.endpoint);
  console.log(`Client (process ${process.pid}) is connected to it`);
  const remote = messenger.client({ add, bill }, { to: peer });

  const { sum } = await remote.add({ a: 3, b: 4 });
  console.log(`Client called add({ a: 3, b: 4 }), and the service answered ${sum}`);

  const asked: string[] = [];
  messenger.handle(price, ({ input: { item } }) => {
    asked.push(item);
    return { price: prices.get(item) ?? 0 };
  });
  const { total } = await remote.bill({ items: [...prices.keys()] });
  console.log(`Client called bill; the service called back for ${asked.join(", ")} and answered ${total}`);

  const refusal = await remote.add({ a: 3, b: "four" as never }).then(() => undefined, (error) => error);
  if (!(refusal instanceof ZeromeshError)) throw new Error("A wrong payload was not refused");
  console.log(`A wrong payload was not sent: ${refusal.code}: ${refusal.message}`);

  return await measureRoundTrips(rounds, () => remote.add({ a: 3, b: 4 }));
}

function describeLibrary({ version, origin, path }: LibraryInfo): string {
  const from = origin === "system"
    ? "this system's"
    : origin === "bundled"
    ? "from the npm package zeromq"
    : origin;
  return `libzmq ${version} (${from}: ${path})`;
}

try {
  const { p50, p99 } = await quickstart();
  console.log("Both processes are closed");
  console.log(`A call took ${formatDuration(p50)} (p50 of ${rounds} calls, p99 ${formatDuration(p99)})`);
} catch (error) {
  console.error(`The quick start failed: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
