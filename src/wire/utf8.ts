// `ignoreBOM` keeps a leading U+FEFF, which is part of the text here.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Up to this many bytes a loop over ASCII is faster than the runtime's decoder. */
const loopBytes = 24;

/** The text of `bytes[start..end)`, or `null` if it is not valid UTF-8. Never throws, never replaces. */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= loopBytes) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at] ?? 0x80;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (at >= end) return text;
  }
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}

/** The UTF-8 bytes of a text, which must be well-formed: the encoder replaces lone surrogates silently. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

// Longer texts are rare enough for memory of their own.
const mostBorrowedUnits = 128 * 1024;
let lent = new Uint8Array(0);

/** The same in memory that the next call writes again. */
export function borrowUtf8(text: string): Uint8Array {
  // A unit takes at most three bytes.
  const most = 3 * text.length;
  if (text.length > mostBorrowedUnits) return encodeUtf8(text);
  if (lent.length < most) lent = new Uint8Array(new ArrayBuffer(Math.max(most, 2 * lent.length)));
  return lent.subarray(0, encoder.encodeInto(text, lent).written);
}
