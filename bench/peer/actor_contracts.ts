/** Contracts of the measured actors. */
import { actorContract } from "zeromesh/actors";
import { z } from "zod";

const text = z.string();
const channel = { fromOpener: text, toOpener: text };

/** An actor that has something to do and does it. */
export const Counter = actorContract("counter", {
  ask: { add: { input: z.number(), output: z.number() } },
});

/** An actor that is stuck in some way. */
export const Stuck = actorContract("stuck", {
  tell: { never: z.number(), fails: z.null() },
  ask: { never: { input: z.null(), output: z.null() } },
  channel: { door: channel, flood: channel, open: channel },
});
