/** The channel that producer.ts and consumer.ts share. */
import { channelContract } from "zeromesh/broker";
import { z } from "zod";

export const readings = channelContract("lab/temperature", {
  pattern: "pipeline",
  message: z.object({ at: z.number(), celsius: z.number() }),
});
