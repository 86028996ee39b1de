/** The contracts of the two processes of the quick start. */
import { contract } from "zeromesh";
import { z } from "zod";

/** Answered by the service. */
export const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});

/** Answered by the service, which asks its caller for the price of each item. */
export const bill = contract("bill", {
  input: z.object({ items: z.array(z.string()) }),
  output: z.object({ total: z.number() }),
});

/** Answered by the client. */
export const price = contract("price", {
  input: z.object({ item: z.string() }),
  output: z.object({ price: z.number() }),
});
