/** Runs in a Worker of `zmq_worker_test.ts`: what it does stands in its `workerData`. */
import { parentPort, workerData } from "node:worker_threads";
import { Context, MonitorEvent, openResources } from "../../src/libzmq/mod.ts";
import { Inbox, linked, numbered, Outbox, type WaiterKind } from "./raw_sockets.ts";

/** The order for the Worker. */
export interface WorkerTask {
  /** The action. */
  readonly task: "talk" | "live" | "flood" | "hostile";
  /** The main thread's ROUTER, for `talk` and `hostile`. */
  readonly endpoint?: string;
  /** Messages to send without end, for `hostile`. */
  readonly messages?: readonly (readonly Uint8Array[])[];
  /** The kind of waiter. */
  readonly waiter: WaiterKind;
}

/** The report of the Worker. */
export interface WorkerReport {
  /** The kind of wait that was in use. */
  readonly waiter?: string;
  /** The number of answers that came. */
  readonly answers?: number;
  /** Names of what a monitor told. */
  readonly events?: readonly number[];
  /** The resources that were open at the end. */
  readonly open?: { readonly contexts: number; readonly sockets: number };
  /** The error that ended it. */
  readonly error?: string;
}

const { task, endpoint, messages, waiter } = workerData as WorkerTask;

/** Asks the main thread 300 times over TCP, while two sockets of its own talk to each other, and closes. */
async function talk(): Promise<WorkerReport> {
  const context = await Context.create({ waiter });
  context.reactor.ref();
  const own = linked(context, "PAIR", "PAIR", { endpoint: "inproc://own" });
  const inbox = new Inbox(own.bound);
  const events: number[] = [];
  const dealer = context.socket("DEALER").set("RECONNECT_IVL", 86_400_000);
  dealer.monitor(MonitorEvent.ALL, (event) => events.push(event));
  dealer.connect(endpoint!);
  const answers = await new Promise<number>((resolve) => {
    let count = 0;
    new Inbox(dealer, () => {
      own.connected.send([numbered(count)]);
      if (++count === 300) resolve(count);
      else dealer.send([numbered(count)]);
    });
    dealer.send([numbered(0)]);
  });
  while (inbox.count < 300) await new Promise((resolve) => setImmediate(resolve));
  const kind = context.reactor.stats().waiter;
  await context.close({ lingerMs: 100 });
  return { waiter: kind, answers, events, open: openResources() };
}

/** Opens sockets, one of them listening and one of them dialling it, and waits to be terminated. */
async function live(): Promise<WorkerReport> {
  const context = await Context.create({ waiter });
  context.reactor.ref();
  const { bound, connected } = linked(context, "ROUTER", "DEALER", {
    prepare: (socket) => socket.monitor(MonitorEvent.ALL, () => {}),
  });
  await new Promise<void>((resolve) => {
    new Inbox(bound, () => resolve());
    connected.send([numbered(1)]);
  });
  return { waiter: context.reactor.stats().waiter };
}

/** Floods itself until it is terminated. */
async function flood(): Promise<WorkerReport> {
  const context = await Context.create({ waiter });
  context.reactor.ref();
  const { bound, connected } = linked(context, "PULL", "PUSH");
  let count = 0;
  await new Promise<void>((resolve) => {
    new Inbox(bound, () => {
      if (++count === 1_000) resolve();
    });
    new Outbox(connected, Infinity, { message: () => [numbered(0, 200)] }).start();
  });
  return { waiter: context.reactor.stats().waiter };
}

/** Sends the messages it was given, over three connections, until it is terminated. */
async function hostile(): Promise<WorkerReport> {
  const context = await Context.create({ waiter });
  context.reactor.ref();
  for (let i = 0; i < 3; i++) {
    const socket = context.socket("DEALER");
    socket.connect(endpoint!);
    const all = messages!.map((message) => [...message]);
    new Outbox(socket, Infinity, { message: (value) => all[value % all.length]! }).start();
  }
  return { waiter: context.reactor.stats().waiter };
}

const tasks = { talk, live, flood, hostile };
tasks[task]().then(
  (report) => parentPort?.postMessage(report),
  (error) =>
    parentPort?.postMessage({ error: error instanceof Error ? error.stack ?? error.message : String(error) }),
);
