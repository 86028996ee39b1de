/** What `service.ts` and `client.ts` agree on: a small warehouse. */
import { contract } from "zeromesh";
import { z } from "zod";

/** Takes items out. Its one error of its own says how many are left. */
export const take = contract("take", {
  input: z.object({ item: z.string(), count: z.int().positive() }),
  output: z.object({ left: z.number() }),
  errors: { OUT_OF_STOCK: z.object({ left: z.number() }) },
});

/** Puts items in. It has no answer, so it can be sent without waiting for one. */
export const put = contract("put", {
  input: z.object({ item: z.string(), count: z.int().positive() }),
});

/** Where both of them look when `--endpoint` is not given. */
export const defaultEndpoint = "tcp://127.0.0.1:5555";
