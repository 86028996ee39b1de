/** Programs of `ffi_process_test.ts`; the first argument says which. */
import process from "node:process";
import { parentPort, Worker, workerData } from "node:worker_threads";
import { isFailure, openBackend, SocketOption, SocketType } from "../../ffi/mod.ts";

const dontWait = 1;

async function waiting(onWake: () => void) {
  const backend = await openBackend();
  const waiter = await backend.waiter({
    kind: process.env["WAITER_KIND"] === "worker" ? "worker" : "auto",
    onWake,
    onFailure: (reason) => {
      throw new Error(reason);
    },
  });
  return { backend, waiter };
}

/** Sockets with messages under way, so that libzmq's threads are busy. */
async function traffic(): Promise<void> {
  const backend = await openBackend();
  const context = backend.contextNew();
  const pull = backend.socket(context, SocketType.PULL);
  const push = backend.socket(context, SocketType.PUSH);
  if (isFailure(pull) || isFailure(push)) throw new Error("no socket");
  backend.bind(pull, "tcp://127.0.0.1:*");
  const bytes = new Uint8Array(256);
  const length = backend.getOption(pull, SocketOption.LAST_ENDPOINT, bytes);
  backend.connect(push, new TextDecoder().decode(bytes.subarray(0, length - 1)));
  const message = new Uint8Array(1000);
  const region = backend.region(16);
  const pump = (): void => {
    for (let index = 0; index < 500; index++) backend.send(push, message, dontWait);
    for (let index = 0; index < 400; index++) backend.receive(pull, region, 0, 16, dontWait);
    setTimeout(pump, 0);
  };
  pump();
}

const programs: Record<string, () => Promise<void>> = {
  /** Stays while parked. */
  async parked() {
    const { waiter } = await waiting(() => {});
    waiter.arm();
    console.log("parked");
  },
  /** Ends although parked. */
  async unref() {
    const { waiter } = await waiting(() => {});
    waiter.arm();
    waiter.unref();
    console.log("parked");
  },
  /** Ends although parked, told so before. */
  async unrefBefore() {
    const { waiter } = await waiting(() => {});
    waiter.unref();
    waiter.arm();
    console.log("parked");
  },
  /** Woken although unreferenced, as something else keeps the process alive. */
  async unrefWake() {
    const timer = setTimeout(() => {}, 20_000);
    const { waiter } = await waiting(() => {
      console.log("woken");
      clearTimeout(timer);
    });
    waiter.unref();
    waiter.arm();
    setTimeout(() => waiter.ring(), 50);
  },
  /** Nothing is armed, so nothing keeps it. */
  async idle() {
    await waiting(() => {});
    console.log("idle");
  },
  /** Dies of an error that nobody catches, with messages under way. */
  async uncaught() {
    await traffic();
    setTimeout(() => {
      throw new Error("on purpose");
    }, 50);
  },
  /** Ends Workers that own sockets. */
  async terminate() {
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { program: "inWorker" } });
      await new Promise((resolve) => worker.once("message", resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await worker.terminate();
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log("survived");
    process.exit(0);
  },
  async inWorker() {
    await traffic();
    const { waiter } = await waiting(() => {});
    waiter.arm();
    parentPort?.postMessage("running");
  },
  /** Lists what a child gets to see of our descriptors. */
  async inherit() {
    const { spawnSync } = await import("node:child_process");
    const { backend, waiter } = await waiting(() => {});
    const context = backend.contextNew();
    const socket = backend.socket(context, SocketType.ROUTER);
    if (isFailure(socket)) throw new Error("no socket");
    waiter.arm();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const child = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" });
    console.log(child.stdout);
    backend.closeSocket(socket);
    await waiter.close();
    await backend.contextTerm(context);
    console.log("done");
  },
};

const name = (workerData as { program?: string } | null)?.program ?? process.argv[2] ?? "";
await programs[name]?.();
