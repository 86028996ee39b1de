import process from "node:process";
import { Messenger } from "zeromesh";
import { shout } from "./contracts.ts";
import { discovery } from "./where.ts";

const messenger = await Messenger.create({ discovery: discovery(), services: ["shout"] });
messenger.handle(shout, ({ input }) => `${input.toUpperCase()}!`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void messenger.close());
console.log("shout is ready");
