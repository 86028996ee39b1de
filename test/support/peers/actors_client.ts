/** Program of the tests of actors in `test/process`: a client that only dials, with asks that are not answered. */
import process from "node:process";
import { actorRef } from "../../../src/actors/mod.ts";
import { Messenger } from "../../../src/mod.ts";
import { Worker } from "./actors_peer.ts";

const [endpoint = "", count = "1"] = process.argv.slice(2);
const messenger = await Messenger.create({ listen: false });
const peer = await messenger.connect(endpoint);
const ref = actorRef(messenger, Worker, `worker0@${peer}`);
const open = Array.from({ length: Number(count) }, () => ref.ask("wait", undefined, { timeoutMs: 60_000 }));
console.log("asked");
await Promise.all(open);
