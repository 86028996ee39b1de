/**
 * A process that is found: `discovery_peer.ts SPEC SERVICE…`, where SPEC is `local:FOLDER`, `file:PATH`,
 * `nats:URL[#TTL]` or `etcd:URL[#TTL]`. It answers `whoami` with its id and `event` with the handle of a new event, prints `READY id`, and closes on SIGTERM.
 */
import process from "node:process";
import { EtcdDiscovery } from "../../../src/discovery/etcd.ts";
import { type Discovery, FileDiscovery, LocalDiscovery } from "../../../src/discovery/mod.ts";
import { NatsDiscovery } from "../../../src/discovery/nats.ts";
import { Messenger, unaryHandler } from "../../../src/mod.ts";

const [spec = "", ...services] = process.argv.slice(2);
const [, kind, where = ""] = /^(\w+):(.*)$/.exec(spec) ?? [];

function discovery(): Discovery {
  if (kind === "local") return new LocalDiscovery({ directory: where, mesh: "test" });
  if (kind === "file") return new FileDiscovery({ path: where });
  const [url = "", ttl] = where.split("#");
  const ttlMs = ttl === undefined ? undefined : Number(ttl);
  if (kind === "nats") return new NatsDiscovery({ servers: [url], ttlMs });
  return new EtcdDiscovery({ endpoints: [url], ttlMs });
}

const messenger = await Messenger.create({ discovery: discovery(), services });
messenger.registerHandler(unaryHandler("whoami", () => new TextEncoder().encode(messenger.instanceId)));
messenger.registerHandler(
  unaryHandler("event", () => new TextEncoder().encode(String(messenger.events.newEvent().handle))),
);
messenger.registerHandler(unaryHandler("slow", ({ signal }) =>
  new Promise<Uint8Array>((resolve) => {
    signal.addEventListener("abort", () => resolve(new Uint8Array()));
  })));
process.on("SIGTERM", () => void messenger.close().then(() => process.exit(0)));
await messenger.announce();
console.log(`READY ${messenger.instanceId}`);
