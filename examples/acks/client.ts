/** Sends tasks to server.ts and waits for the ACK of each. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger, ZeromeshError } from "zeromesh";

const help = `Sends tasks to server.ts and waits for their ACKs.

  --endpoint ENDPOINT   where the server listens (tcp://127.0.0.1:5556)
  --help                this text`;

async function use(endpoint: string): Promise<void> {
  await using messenger = await Messenger.create();
  const worker = await messenger.connect(endpoint);
  await messenger.waitForHandler(worker, "compute_task", { timeoutMs: 10_000 });

  // In two steps: the ACK is registered before the message is sent, so that it cannot arrive too early.
  const ack = messenger.registerAck({ timeoutMs: 10_000 });
  const task = { operation: "sum", data: [1, 2, 3], _ack_id: ack.id };
  await messenger.amSend("compute_task", { to: worker, payload: task });
  await ack.received;
  console.log("ACK received");

  // The same in one call, which does both steps in the right order.
  await messenger.sendWithAck("compute_task", { to: worker, payload: { operation: "sum", data: [4, 5] } });
  console.log("ACK received again");

  try {
    await messenger.sendWithAck("compute_task", { to: worker, payload: { operation: "guess", data: [] } });
  } catch (error) {
    if (!(error instanceof ZeromeshError)) throw error;
    console.log(`${error.code}: ${error.message}`);
  }

  try {
    await messenger.registerAck({ timeoutMs: 50 }).received;
  } catch (error) {
    if (!(error instanceof ZeromeshError) || error.code !== "TIMEOUT") throw error;
    console.log("ACK timeout");
  }
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:5556" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await use(values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
