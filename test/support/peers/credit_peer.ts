/**
 * Programs of `process/credit_test.ts`: `credit_peer.ts serve` has a handler that takes a millisecond for each message;
 * `credit_peer.ts flood ENDPOINT MS await|count|fail [MAX_WAITING_SENDS]` sends to it as fast as it may, and says what was taken.
 */
import process from "node:process";
import { amHandler, Messenger, unaryHandler, ZeromeshError } from "../../../src/mod.ts";

const [role, endpoint, ms, how, limit] = process.argv.slice(2);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

if (role === "serve") {
  const server = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
  let [came, wrong, last] = [0, 0, -1];
  server.registerHandler(amHandler("slow", async ({ payload }) => {
    const number = new DataView(payload.buffer, payload.byteOffset).getUint32(0, true);
    if (number <= last) wrong++;
    last = number;
    await pause(1);
    came++;
  }, { concurrency: 1 }));
  server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  server.registerHandler(unaryHandler("told", () => {
    const { handlers, transport } = server.stats();
    return encode({ came, wrong, held: handlers.heldMessages, drops: transport.drops });
  }));
  console.log(`ready ${server.endpoint}`);
} else {
  const client = await Messenger.create({
    overflow: how === "fail" ? "fail" : "wait",
    timeoutMs: 60_000,
    maxWaitingSends: limit === undefined ? undefined : Number(limit),
  });
  const to = await client.connect(endpoint!);
  const payload = new Uint8Array(256);
  const view = new DataView(payload.buffer);
  let [taken, refused, tried] = [0, 0, 0];
  console.log("ready");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  const end = performance.now() + Number(ms);
  const note = (error: unknown) => {
    if (!(error instanceof ZeromeshError) || error.code !== "QUEUE_FULL") throw error;
    refused++;
  };
  const open = new Set<Promise<void>>();
  while (performance.now() < end) {
    view.setUint32(0, tried++, true);
    const sent = client.amSend("slow", { to, rawPayload: payload }).then(() => void taken++, note);
    if (how === "await") await sent;
    else {
      open.add(sent);
      sent.finally(() => open.delete(sent));
      // A moment for the loop, as a program has it that does something else as well.
      if (tried % 100 === 0) await pause(1);
    }
  }
  await Promise.all(open);
  console.log(`done ${JSON.stringify({ tried, taken, refused, credit: client.stats().credit })}`);
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.exit(0);
}
