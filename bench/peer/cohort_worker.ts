/** A worker of `cohort_leader.ts`. */
import process from "node:process";
import { amHandler, Messenger, unaryHandler } from "zeromesh";
import { joinCohort } from "zeromesh/cohort";
import { Arguments, Commands, say } from "./protocol.ts";

const commands = new Commands();
const messenger = await Messenger.create();
messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
messenger.registerHandler(amHandler("note", () => {}));
await joinCohort(messenger, { leader: new Arguments().text("endpoint"), timeoutMs: 20_000 });
say({ type: "ready", endpoints: [messenger.endpoint] });
await commands.next();
process.exit(0);
