/** Texts of received bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeUtf8 } from "../../src/wire/mod.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function expected(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

test("texts are decoded as a strict decoder does, or refused", () => {
  const texts = [
    "",
    "abc",
    "é",
    "\ufeffwith a mark",
    "\ufffd is a character",
    "日本語",
    "😀",
    "\0",
    "x".repeat(20_000),
  ];
  for (const text of texts) {
    const bytes = new TextEncoder().encode(`<${text}>`);
    assert.equal(decodeUtf8(bytes, 1, bytes.length - 1), text);
  }
  // Bytes from which valid, cut, overlong and surrogate sequences are made.
  const kinds = [
    0x41,
    0x80,
    0x90,
    0xa0,
    0xbf,
    0xc0,
    0xc3,
    0xe0,
    0xed,
    0xef,
    0xbb,
    0xbd,
    0xf0,
    0xf4,
    0xf8,
    0xff,
  ];
  let refused = 0;
  for (let n = 0; n < 65_536; n++) {
    const bytes = Uint8Array.from([0, 4, 8, 12], (shift) => kinds[(n >>> shift) & 15]!);
    const text = expected(bytes);
    assert.equal(decodeUtf8(bytes, 0, 4), text, [...bytes].join(" "));
    if (text === null) refused++;
  }
  assert.ok(refused > 0 && refused < 65_536);
});
