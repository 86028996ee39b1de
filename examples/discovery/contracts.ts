import { contract } from "zeromesh";
import { z } from "zod";

/** What the service `shout` does. */
export const shout = contract("shout", { input: z.string(), output: z.string() });

/** What the service `count` does. */
export const count = contract("count", { input: z.string(), output: z.number() });
