/** Serves actors that work and actors that can be stuck, with management. Its command `free` ends the stuck ones. */
import process from "node:process";
import { Messenger } from "zeromesh";
import { actor, ActorSystem, serveManagement } from "zeromesh/actors";
import { Counter, Stuck } from "./actor_contracts.ts";
import { Arguments, Commands, say } from "./protocol.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const stuckNames = ["endless", "full", "door", "flood", "noisy"];
const counter = actor(Counter, {
  init: () => ({ count: 0 }),
  ask: { add: (context, by) => (context.state.count += by) },
});
const stuck = actor(Stuck, {
  init: () => null,
  tell: {
    never: () => new Promise<void>(() => {}),
    fails: () => {
      throw new Error("a failure is an event");
    },
  },
  ask: { never: () => new Promise<null>(() => {}) },
  channel: {
    door: { open: () => {}, message: () => {} },
    open: { open: (_context, opening) => void opening.accept(), message: () => {} },
    flood: {
      async open(_context, opening) {
        const accepted = opening.accept();
        for (;;) await accepted.send("x".repeat(1_000));
      },
      message: () => {},
    },
  },
});

const messenger = await Messenger.create({ endpoint: new Arguments().text("endpoint"), logger: quiet });
const system = await ActorSystem.create(messenger);
const start = async (): Promise<void> => {
  for (const name of stuckNames) {
    const mailbox = name === "full" ? { capacity: 4, overflow: "fail" } as const : {};
    await system.spawn(stuck, { name, mailbox });
  }
};
await start();
for (const name of ["a", "b", "c", "d"]) await system.spawn(counter, { name });
for (let n = 0; n < 100; n++) await system.spawn(stuck, { name: `held${n}` });
serveManagement(system);
say({ type: "ready", endpoints: [messenger.endpoint] });
const commands = new Commands();
for (let command = await commands.next(); command !== null; command = await commands.next()) {
  for (const name of stuckNames) system.terminate(name);
  say({ type: "figures", values: {} });
}
process.exit(0);
