import process from "node:process";
import { Messenger, service } from "zeromesh";
import { count, shout } from "./contracts.ts";
import { discovery } from "./where.ts";

// A service may call another one. Neither is configured with the other's address.
const messenger = await Messenger.create({ discovery: discovery(), services: ["count"] });
messenger.handle(count, async ({ input, signal }) => {
  return (await messenger.typedUnary(shout, { to: service("shout"), payload: input, signal })).length;
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void messenger.close());
console.log("count is ready");
