/**
 * A worker of `cohort_*_test.ts`: `cohort_peer.ts LEADER [RANK]`. It joins, answers, and says on lines of its own what
 * becomes of it.
 */
import process from "node:process";
import { joinCohort } from "../../../src/cohort/mod.ts";
import { amHandler, Messenger, unaryHandler } from "../../../src/mod.ts";

const [leader = "", rank] = process.argv.slice(2);
const messenger = await Messenger.create();
const thawed = Promise.withResolvers<void>();
const lanes = new Map<string, unknown[]>();
const answer = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
let noted = 0;
messenger.registerHandler(unaryHandler("square", ({ json }) => {
  const value = Number(json());
  return answer(value * value);
}));
messenger.registerHandler(amHandler("note", () => void noted++));
// What stands still until "thaw": a handler for one at a time, and the lane of whoever sends "hold".
messenger.registerHandler(unaryHandler("hold", async () => await thawed.promise, { concurrency: 1 }));
messenger.registerHandler(amHandler("lane", async ({ json, senderInstanceId }) => {
  const value = json();
  if (value === "hold") await thawed.promise;
  const sender = String(senderInstanceId);
  lanes.set(sender, [...lanes.get(sender)?.slice(-99) ?? [], value]);
}, { dispatch: { ordered: "sender" } }));
messenger.registerHandler(amHandler("thaw", () => thawed.resolve()));
messenger.registerHandler(unaryHandler("waiting", () => answer(messenger.stats().handlers.queued)));
messenger.registerHandler(unaryHandler("noted", ({ json }) => answer(lanes.get(String(json())) ?? [])));
const place = await joinCohort(messenger, {
  leader,
  ...(rank === undefined ? {} : { rank: Number(rank) }),
  rejoinForMs: 15_000,
});
console.log(`joined ${place.rank} ${messenger.instanceId}`);
console.log(`ended ${await place.ended}`);
await messenger.close();
process.exit(0);
