/**
 * A worker of `cohort_*_test.ts`: `cohort_peer.ts LEADER [RANK]`. It joins, answers, and says on lines of its own what
 * becomes of it.
 */
import process from "node:process";
import { joinCohort } from "../../../src/cohort/mod.ts";
import { amHandler, Messenger, unaryHandler } from "../../../src/mod.ts";

const [leader = "", rank] = process.argv.slice(2);
const messenger = await Messenger.create();
let noted = 0;
messenger.registerHandler(unaryHandler("square", ({ json }) => {
  const value = Number(json());
  return new TextEncoder().encode(JSON.stringify(value * value));
}));
messenger.registerHandler(amHandler("note", () => void noted++));
const place = await joinCohort(messenger, {
  leader,
  ...(rank === undefined ? {} : { rank: Number(rank) }),
  rejoinForMs: 15_000,
});
console.log(`joined ${place.rank} ${messenger.instanceId}`);
console.log(`ended ${await place.ended}`);
await messenger.close();
process.exit(0);
