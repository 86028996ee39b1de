/** Programs of zmq_drafts_test.ts. */
import { closeSync, openSync, readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import "../support/draft_library.ts";
import * as zmq from "zeromesh/zmq";
import { Client, Dish, Radio, Server } from "zeromesh/zmq/draft";
import { collectGarbage } from "../support/collect.ts";
import { pause, until } from "../support/until.ts";

const [task = ""] = process.argv.slice(2);
const descriptors = (): number => readdirSync("/proc/self/fd").length;

/** Descriptors of pollers: a runtime leaves one of these for each one of `epoll` when a Worker is terminated. */
function pollers(): number {
  const targets = readdirSync("/proc/self/fd").map((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`);
    } catch {
      return "";
    }
  });
  const count = (what: string) => targets.filter((target) => target === `anon_inode:[${what}]`).length;
  return count("eventfd") - count("eventpoll");
}

async function code(operation: () => unknown): Promise<string> {
  try {
    await operation();
    return "done";
  } catch (error) {
    return (error as zmq.ErrnoError).code;
  }
}

const tasks: Record<string, () => Promise<void>> = {
  /** Its sockets stay open, and nothing waits for them. */
  async ends() {
    const [server, client] = [new Server(), new Client()];
    await server.bind("tcp://127.0.0.1:*");
    client.connect(server.lastEndpoint!);
    await client.send("x");
    console.log(String((await server.receive())[0]));
  },
  /** It exits while operations wait. */
  async exits() {
    for (const socket of [new Server(), new Client(), new Dish()]) void socket.receive().catch(() => {});
    void new Client().send("nobody").catch(() => {});
    await pause(30);
    console.log("exits");
    process.exit(0);
  },
  async collects() {
    const warnings: string[] = [];
    process.on("warning", (warning) => void warnings.push(warning.message));
    let message = "";
    const forget = () => {
      for (let i = 0; i < 20; i++) new Client().connect("tcp://127.0.0.1:1");
      const waiting = new Dish();
      waiting.join("group");
      waiting.connect("inproc://waits");
      void waiting.receive().then(([part]) => message = String(part));
    };
    forget();
    const most = descriptors();
    await until(() => {
      collectGarbage();
      return warnings.length > 0 && descriptors() <= most - 10;
    }, { timeoutMs: 10_000, message: () => `the end of 20 sockets: ${descriptors()} after ${most}` });
    const radio = new Radio();
    await radio.bind("inproc://waits");
    await until(async () => {
      await radio.send("one that waits is kept", { group: "group" });
      return message !== "";
    });
    radio.close();
    console.log(message);
    console.log(`${warnings.length} warning`);
  },
  /** Its limit of descriptors is low. */
  async exhausts() {
    const open: { close(): void }[] = [];
    let refusal = "";
    while (refusal === "" && open.length < 1_000) {
      const result = await code(() => open.push(open.length % 2 === 0 ? new Server() : new Dish()));
      if (result !== "done") refusal = result;
    }
    const files: number[] = [];
    while (await code(() => files.push(openSync("/dev/null", "r"))) === "done");
    const bound = await code(() => (open[1] as Dish).bind("udp://127.0.0.1:5999"));
    // libzmq needs a descriptor for the end of each.
    for (const socket of open) socket.close();
    for (const file of files) closeSync(file);
    const again = await code(() =>
      until(() => code(() => new Server().close()).then((text) => text === "done"))
    );
    console.log(`${refusal} ${bound} ${again}`);
  },
  /** Workers with draft sockets are terminated. */
  async workers() {
    using kept = new Server();
    const start = async () => {
      const worker = new Worker(new URL(import.meta.url), { argv: ["works"] });
      await new Promise((resolve) => worker.once("message", resolve));
      await worker.terminate();
    };
    for (let i = 0; i < 2; i++) await start();
    await pause(1_200);
    const before = pollers();
    for (let i = 0; i < 4; i++) await start();
    // Others free what a terminated thread has left.
    await until(() => pollers() <= before + 1, {
      timeoutMs: 10_000,
      message: () => `the pollers of Workers to end: ${pollers()}, and ${before} before`,
    });
    console.log(`ended ${kept.closed}`);
    process.exit(0);
  },
  async works() {
    const sockets = [new Server(), new Client(), new Dish()];
    for (const socket of sockets) {
      await socket.bind("tcp://127.0.0.1:*");
      void socket.receive().catch(() => {});
    }
    parentPort!.postMessage("waits");
    await new Promise(() => {});
  },
};

await tasks[isMainThread ? task : "works"]!();
