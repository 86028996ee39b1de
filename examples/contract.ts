/** The contracts of `service.ts` and `client.ts`: a small warehouse. */
import { contract } from "zeromesh";
import { z } from "zod";

/** Takes items out. Its declared error says how many items are left. */
export const take = contract("take", {
  input: z.object({ item: z.string(), count: z.int().positive() }),
  output: z.object({ left: z.number() }),
  errors: { OUT_OF_STOCK: z.object({ left: z.number() }) },
});

/** Puts items in. The contract has no answer, so it can also be sent without waiting. */
export const put = contract("put", {
  input: z.object({ item: z.string(), count: z.int().positive() }),
});

/** The endpoint of both programs without `--endpoint`. */
export const defaultEndpoint = "tcp://127.0.0.1:5555";
