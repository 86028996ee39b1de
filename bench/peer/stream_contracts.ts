/** The contracts of the programs that measure streams. */
import { contract, stream } from "zeromesh";
import { z } from "zod";

const count = z.object({ n: z.number() });

/** One text in one answer. */
export const one = contract("one", { input: count, output: z.string() });

/** `n` texts. */
export const some = contract("some", { input: count, output: stream(z.string()) });

/** A text, and then nothing until the caller leaves. */
export const open = contract("open", { input: count, output: stream(z.string()) });

/** Texts of `n` characters without an end. */
export const flood = contract("flood", { input: count, output: stream(z.string()) });

/** Counts texts. */
export const texts = contract("texts", { input: stream(z.string()), output: z.number() });

/** Counts byte arrays. */
export const chunks = contract("chunks", {
  input: stream(z.instanceof(Uint8Array)),
  output: z.number(),
  encoding: "msgpack",
});
