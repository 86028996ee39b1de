/** What leader and workers of the example share. */
import { contract } from "zeromesh";
import { z } from "zod";

const whole = z.int().min(0);

/** How many primes there are from one number up to, and without, another. */
export const countPrimes = contract("count_primes", {
  input: z.object({ from: whole, end: whole }),
  output: whole,
});
