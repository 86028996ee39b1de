/**
 * Calls one server while it floods another one that has been stopped.
 *
 * Commands: `measure` calls the first server for a time; `flood` sends to the second until its queue is full, and
 * continues to send; `drain` waits until all is sent.
 */
import process from "node:process";
import { Messenger } from "zeromesh";
import { measureCalls } from "./measure.ts";
import { Arguments, Commands, say } from "./protocol.ts";

const args = new Arguments();
const commands = new Commands();
const messenger = await Messenger.create();
const [called, flooded] = await Promise.all(
  args.list("endpoints").map((endpoint) => messenger.connect(endpoint)),
);
const message = new Uint8Array(new ArrayBuffer(1024));
const stuckMs = 50;
const lanes = 64;
let sent = 0;
let flooding = false;
let running: Promise<unknown> = Promise.resolve();

const call = (payload: Uint8Array): Promise<Uint8Array> =>
  messenger.unary("echo", { to: called!, rawPayload: payload });

const measure = (ms: number) =>
  measureCalls({ call, sizeOf: (answer: Uint8Array) => answer.length, close: () => messenger.close() }, {
    inFlight: args.number("inFlight"),
    size: 64,
    ms,
  });

async function floodLane(): Promise<void> {
  while (flooding) {
    await messenger.amSend("sink", { to: flooded!, rawPayload: message });
    sent++;
  }
}

/** Resolves when no message has been accepted for a while: the peer is at its high-water mark. */
async function stuck(): Promise<void> {
  for (let before = -1; before !== sent;) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, stuckMs));
  }
}

for (;;) {
  const command = await commands.next();
  if (command === "measure") {
    const before = process.cpuUsage();
    const figures = await measure(args.number("ms"));
    const { user, system } = process.cpuUsage(before);
    say({ type: "result", ...figures, cpuUs: user + system });
  } else if (command === "warm") {
    await measure(args.number("warmMs"));
    say({ type: "warm", sent });
  } else if (command === "flood") {
    flooding = true;
    running = Promise.all(Array.from({ length: lanes }, floodLane));
    await stuck();
    say({ type: "warm", sent });
  } else if (command === "drain") {
    flooding = false;
    await running;
    await messenger.flush(flooded);
    say({ type: "warm", sent });
  } else {
    await messenger.close();
    process.exit(0);
  }
}
