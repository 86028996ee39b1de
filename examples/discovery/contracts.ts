import { contract } from "zeromesh";
import { z } from "zod";

/** The contract of the service `shout`. */
export const shout = contract("shout", { input: z.string(), output: z.string() });

/** The contract of the service `count`. */
export const count = contract("count", { input: z.string(), output: z.number() });
