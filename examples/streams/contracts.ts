import { contract, stream } from "zeromesh";
import { z } from "zod";

/** The tokens of a model's answer. */
export const generate = contract("generate", {
  input: z.object({ prompt: z.string(), tokens: z.number().int().positive() }),
  output: stream(z.string()),
});

/** A file in parts; the answers say how many bytes have been stored. */
export const store = contract("store", {
  input: stream(z.instanceof(Uint8Array)),
  output: stream(z.object({ stored: z.number() })),
  encoding: "msgpack",
});

/** A room: what one says, all hear. */
export const chat = contract("chat", {
  input: stream(z.string()),
  output: stream(z.object({ from: z.string(), line: z.string() })),
});
