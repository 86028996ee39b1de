/**
 * Programs of the tests of how a program ends: `ending_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its
 * own, the first word says what it is.
 */
import process from "node:process";
import { amHandler, Messenger, service, unaryHandler } from "../../../src/mod.ts";
import { EtcdDiscovery } from "../../../src/discovery/etcd.ts";
import {
  type Discovery,
  FileDiscovery,
  LocalDiscovery,
  StaticDiscovery,
} from "../../../src/discovery/mod.ts";

/** Ends the program as the runtime itself does it: on Deno that is not `process.exit`. */
function exitOfRuntime(): never {
  const { Deno: runtime = process } = globalThis as unknown as { Deno?: { exit(code: number): never } };
  return runtime.exit(0);
}

/** A back end by its name, and where it is: a folder, a server, or for `static` the one instance that there is. */
function discoveryOf(kind: string, where: string): Discovery {
  switch (kind) {
    case "static": {
      const peer = JSON.parse(where) as { instanceId: string; endpoint: string };
      return new StaticDiscovery({ peers: [peer], services: { hello: [peer.instanceId] } });
    }
    case "file":
      return new FileDiscovery({ path: `${where}/peers.json` });
    case "local":
      return new LocalDiscovery({ directory: where });
    case "etcd":
      return new EtcdDiscovery({ endpoints: [where] });
    default:
      throw new TypeError(`There is no back end ${kind}`);
  }
}

const roles: Record<string, (...args: string[]) => Promise<void>> = {
  /** Sends so many messages to an endpoint and exits at once. */
  async sendAndExit(endpoint, count) {
    const messenger = await Messenger.create({ listen: false });
    const peer = await messenger.connect(endpoint!);
    for (let i = 0; i < Number(count); i++) void messenger.amSend("note", { to: peer });
    exitOfRuntime();
  },

  /** Listens on an endpoint and exits. */
  async listenAndExit(endpoint) {
    const messenger = await Messenger.create({ endpoint: endpoint! });
    messenger.registerHandler(amHandler("note", () => {}));
    exitOfRuntime();
  },

  /** Does not listen, introduces itself to an endpoint and serves whoever is there, until `SIGTERM` closes it. */
  async serveAtTheEdge(endpoint, referenced) {
    const stop = new AbortController();
    const messenger = await Messenger.create({ listen: false, signal: stop.signal });
    messenger.registerHandler(unaryHandler("hello", ({ payload }) => payload));
    if (referenced === "ref") messenger.ref();
    await messenger.connect(endpoint!);
    process.once("SIGTERM", () => stop.abort());
    console.log("ready", messenger.instanceId);
    await messenger.closed;
    console.log("closed");
  },

  /** Offers the service `hello` until it is killed. */
  async offer(kind, where) {
    const discovery = kind === "static" ? new StaticDiscovery() : discoveryOf(kind!, where!);
    const messenger = await Messenger.create({ discovery, services: ["hello"] });
    messenger.registerHandler(unaryHandler("hello", ({ payload }) => payload));
    await messenger.announce();
    const { instanceId, endpoint } = messenger;
    console.log(`ready ${JSON.stringify({ instanceId, endpoint })}`);
  },

  /** Calls the service once and has nothing more to do. */
  async callOnce(kind, where) {
    const messenger = await Messenger.create({ discovery: discoveryOf(kind!, where!), listen: false });
    await messenger.unary("hello", { to: service("hello") });
    console.log("answered");
  },
};

const [role, ...args] = process.argv.slice(2);
await roles[role!]!(...args);
