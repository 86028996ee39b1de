/** The contract of an actor that gets 0, 1, 2, and so on, and what the modules that tests write for it need. */
import { z } from "zod";
import { actorContract } from "../../src/actors/mod.ts";

export { actor } from "../../src/actors/mod.ts";

/** The contract. `wrong` counts the numbers that were not the next one. */
export const Sequence = actorContract("sequence", {
  tell: { add: z.number() },
  ask: {
    state: {
      input: z.undefined(),
      output: z.object({ next: z.number(), wrong: z.number(), code: z.string() }),
    },
  },
});
