/**
 * A process that registers many instances in etcd: `discovery_registrar.ts URL NAME COUNT EVERY_MS`. It says `READY`,
 * begins at the first line of input, and says `REGISTERED number id time took` of each: the time of the clock, and how
 * many milliseconds etcd took for it.
 * All offer `resize`, and each tenth one a service of its own, `NAME-number`. All close on SIGTERM.
 */
import process from "node:process";
import { EtcdDiscovery } from "../../../src/discovery/etcd.ts";
import { Messenger, unaryHandler } from "../../../src/mod.ts";

const [url = "", name = "", count = "", everyMs = ""] = process.argv.slice(2);
const discovery = new EtcdDiscovery({ endpoints: [url] });
const made: Promise<Messenger>[] = [];

async function register(number: number, before: Promise<Messenger> | undefined): Promise<Messenger> {
  const services = number % 10 === 1 ? ["resize", `${name}-${number}`] : ["resize"];
  const messenger = await Messenger.create({ discovery, services });
  messenger.registerHandler(unaryHandler("whoami", () => new TextEncoder().encode(messenger.instanceId)));
  const began = performance.now();
  await messenger.announce();
  const announcedAt = Date.now();
  const took = Math.round(performance.now() - began);
  // In their order, whichever etcd took first.
  await before;
  console.log(`REGISTERED ${number} ${messenger.instanceId} ${announcedAt} ${took}`);
  return messenger;
}

process.stdin.once("data", () => {
  const timer = setInterval(() => {
    if (made.push(register(made.length, made.at(-1))) === Number(count)) clearInterval(timer);
  }, Number(everyMs));
});
process.on("SIGTERM", () => {
  void Promise.all(made.map(async (one) => await (await one).close())).then(() => process.exit(0));
});
console.log("READY");
