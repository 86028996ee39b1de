/** Serves a pool of workers that crash now and then: `server.ts`. */
import process from "node:process";
import { actor, ActorSystem } from "zeromesh/actors";
import { Messenger } from "zeromesh";
import { Renderer } from "./contract.ts";

const renderer = actor(Renderer, {
  // A worker that fails gets a new state, twice at most; then it ends, and the pool starts another one.
  supervision: {
    onFailure: "restart",
    maxRestarts: 2,
    withinMs: 60_000,
    backoff: { firstMs: 10, maxMs: 100 },
  },
  init: () => ({ pages: 0 }),
  ask: {
    render: (ctx, { page, attempt }) => {
      if (page % 3 === 0 && attempt === 1) throw new Error(`ink is out at page ${page}`);
      ctx.state.pages++;
      return `page ${page}`;
    },
  },
});

await using messenger = await Messenger.create();
await using system = await ActorSystem.create(messenger);
const pool = await system.pool(renderer, {
  name: "renderers",
  size: 2,
  backoff: { firstMs: 10, maxMs: 100 },
});
const events = system.events();
// The events end with the system, and then the program.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void system.close());
console.log(`renderers serve at ${messenger.endpoint}`);

for await (const event of events) {
  switch (event.type) {
    case "handlerFailed":
      console.log(`a worker crashed: ${event.error}`);
      break;
    case "restarted":
      console.log(`a worker came back, restart ${event.restarts}`);
      break;
    case "ended":
      console.log(`a worker crashed too often and ended: ${event.end.reason}`);
      break;
    case "started":
      console.log(`another worker takes its place; the pool has ${pool.members().length + 1}`);
      break;
    default:
  }
}
