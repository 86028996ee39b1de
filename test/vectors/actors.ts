/** Messages for actors of other instances, byte by byte, as `ARCHITECTURE.md` shows them. */
import type { EnvelopeParts } from "../../src/actors/remote/envelope.ts";

/** A message as parts and as bytes. */
export interface EnvelopeVector {
  readonly what: string;
  readonly parts: EnvelopeParts;
  /** The encoded value. */
  readonly value: string;
  /** All bytes: hexadecimal, and text between quotes. */
  readonly bytes: string;
}

const id = "01020304-0506-4708-890a-0b0c0d0e0f10";
const other = "a1a2a3a4-a5a6-47a8-89aa-abacadaeafb0";
const outside = { sender: null, headers: {}, chain: [] } as const;

/** The vectors. */
export const envelopes: readonly EnvelopeVector[] = [
  {
    what: "a message of a client to a name",
    parts: { target: "counter", name: "add", encoding: "json", ...outside },
    value: `{"n":2}`,
    bytes: `00 07 "counter" 03 "add" "{\\"n\\":2}"`,
  },
  {
    what: "bytes of an actor for an id",
    parts: { target: id, name: "put", encoding: "bytes", ...outside, sender: other },
    value: "abc",
    bytes: `43 01020304050647 08890a0b0c0d0e0f10 03 "put" a1a2a3a4a5a647a889aaabacadaeafb0 "abc"`,
  },
  {
    what: "a message with headers and chain, without a value",
    parts: {
      target: "a",
      name: "é",
      encoding: "msgpack",
      sender: id,
      headers: { k: "v" },
      chain: [`${id}@${other}#258`],
    },
    value: "",
    bytes: `36 01 "a" 02 c3a9 01020304050647 08890a0b0c0d0e0f10 0500 81a1 "k" a1 "v" ` +
      `01 01020304050647 08890a0b0c0d0e0f10 a1a2a3a4a5a647a889aaabacadaeafb0 02010000`,
  },
];

/** The bytes of such a text. */
export function bytesOfVector(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const [part] of text.matchAll(/"(?:[^"\\]|\\.)*"|[0-9a-f]{2}/g)) {
    if (part.startsWith('"')) bytes.push(...new TextEncoder().encode(JSON.parse(part) as string));
    else bytes.push(Number.parseInt(part, 16));
  }
  return new Uint8Array(bytes);
}
