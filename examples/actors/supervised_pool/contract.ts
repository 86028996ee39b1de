import { actorContract } from "zeromesh/actors";
import { z } from "zod";

/** A worker that draws pages. */
export const Renderer = actorContract("renderer", {
  ask: { render: { input: z.object({ page: z.number(), attempt: z.number() }), output: z.string() } },
});
