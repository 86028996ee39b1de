/** The contract of leader and workers. */
import { contract } from "zeromesh";
import { z } from "zod";

const whole = z.int().min(0);

/** Counts the primes from one number up to another one, which is not included. */
export const countPrimes = contract("count_primes", {
  input: z.object({ from: whole, end: whole }),
  output: whole,
});
