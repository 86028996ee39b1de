/** Runs in a Worker of `ffi_worker_test.ts`: parks and wakes over a TCP pair, then ends its context. */
import { parentPort, workerData } from "node:worker_threads";
import { PollEvent } from "../../ffi/mod.ts";
import { dontWait, Kit, turn } from "./ffi_kit.ts";

async function run(kind: "auto" | "worker"): Promise<{ kind: string; messages: number }> {
  await using kit = await Kit.open();
  const { backend } = kit;
  const waking = await kit.waiter({ kind });
  const { left, right } = kit.pair("tcp://127.0.0.1:*");
  waking.waiter.add(kit.fd(left), 3);
  const region = backend.region(64);
  const out = new Int32Array(4);
  let messages = 0;
  for (let sent = 0; messages < 200;) {
    if (sent === messages) {
      while (backend.send(right, new Uint8Array(8), dontWait) < 0) await turn();
      sent++;
    }
    await waking.park();
    waking.waiter.fired(out);
    // A message may come between the last EAGAIN and the look at the events, which takes its signal away.
    do {
      while (backend.receive(left, region, 0, 64, dontWait) >= 0) messages++;
    } while ((backend.events(left) & PollEvent.POLLIN) !== 0);
  }
  return { kind: waking.waiter.kind, messages };
}

run((workerData as { kind: "auto" | "worker" }).kind).then(
  (report) => parentPort?.postMessage(report),
  (error) => parentPort?.postMessage({ error: String(error) }),
);
