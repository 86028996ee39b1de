/** Waits for other processes at a barrier: each prints that it has arrived, and none goes on before all have. */
import process from "node:process";
import { parseArgs } from "node:util";
import { type InstanceId, Messenger } from "zeromesh";

const help =
  `Waits for other processes at a barrier. Start the first one without --at; it prints its endpoint.

  --at ENDPOINT   where the first one listens
  --count N       the number of processes (5)
  --timeout MS    how long to wait for the others (60000)
  --help          this text`;

async function meet(endpoint: string | undefined, count: number, timeoutMs: number): Promise<void> {
  await using messenger = await Messenger.create({ listen: endpoint === undefined });
  let at: InstanceId = messenger.instanceId;
  if (endpoint === undefined) console.log(`others: barrier.ts --count ${count} --at ${messenger.endpoint}`);
  else at = await messenger.connect(endpoint);
  const barrier = messenger.events.barrier("start", count, { at });
  console.log("arrived");
  await barrier.arrive({ timeoutMs });
  console.log(`all ${count} have arrived`);
}

try {
  const { values } = parseArgs({
    options: {
      at: { type: "string" },
      count: { type: "string", default: "5" },
      timeout: { type: "string", default: "60000" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await meet(values.at, Number(values.count), Number(values.timeout));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
