/** An actor to edit while it runs: "zeromesh actors run tally.ts --watch", or main.ts, updates it on save. */
import { actor, actorContract } from "zeromesh/actors";
import { z } from "zod";

/** Counts the votes for each name. */
export const Tally = actorContract("tally", {
  ask: { vote: { input: z.object({ for: z.string() }), output: z.string() } },
});

export default actor(Tally, {
  version: 1,
  init: () => ({ votes: {} as Record<string, number> }),
  ask: {
    vote: ({ state: { votes } }, { for: name }) => {
      votes[name] = (votes[name] ?? 0) + 1;
      return `${name} has ${votes[name]}`;
    },
  },
});
