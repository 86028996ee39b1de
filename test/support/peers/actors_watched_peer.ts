/** Serves idle actors, and says where: `actors_watched_peer.ts COUNT`. */
import process from "node:process";
import { actor, ActorSystem } from "../../../src/actors/mod.ts";
import { Messenger } from "../../../src/mod.ts";

const idle = actor({ init: () => null });
const messenger = await Messenger.create();
const system = await ActorSystem.create(messenger);
for (let number = 0; number < Number(process.argv[2]); number++) {
  await system.spawn(idle, { name: `idle-${number}` });
}
console.log("ready", messenger.endpoint, messenger.instanceId);
