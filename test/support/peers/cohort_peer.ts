/**
 * A worker of `cohort_*_test.ts`: `cohort_peer.ts LEADER [OPTIONS]`. It joins, answers, and says on lines of its own what
 * becomes of it. OPTIONS are `{ rank, rejoinForMs, endsForMs }` as JSON: the last one is how long its `onEnding` takes.
 *
 * On standard input it takes the lines `barrier NAME` and `gather NAME JSON`, and says `barrier NAME passed`, `gather NAME
 * VALUES`, or what failed and with which code.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { joinCohort } from "../../../src/cohort/mod.ts";
import { amHandler, Messenger, unaryHandler } from "../../../src/mod.ts";

const [leader = "", json = "{}"] = process.argv.slice(2);
const options = JSON.parse(json) as { rank?: number; rejoinForMs?: number; endsForMs?: number };
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
  rank: options.rank,
  rejoinForMs: options.rejoinForMs ?? 15_000,
  onEnding: () => new Promise((resolve) => setTimeout(resolve, options.endsForMs ?? 0)),
});
console.log(`joined ${place.rank} ${messenger.instanceId}`);
const input = createInterface({ input: process.stdin });
input.on("line", (line) => {
  const [command, name = "", value = "null"] = line.split(" ");
  const waiting = command === "barrier"
    ? place.barrier(name).then(() => "passed")
    : place.allGather(name, JSON.parse(value)).then((values) => JSON.stringify(values));
  waiting.then(
    (text) => console.log(`${command} ${name} ${text}`),
    (error) => console.log(`${command} ${name} failed ${error.code} ${error.message}`),
  );
});
console.log(`ended ${await place.ended}`);
console.log(`signal ${(place.signal.reason as { code?: string }).code}`);
input.close();
await messenger.close();
process.exit(0);
