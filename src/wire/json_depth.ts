const quote = 0x22;
const backslash = 0x5c;
// Strings up to this length are scanned byte by byte; beyond it a call into the runtime is faster.
const shortText = 32;

/**
 * Whether arrays and objects of a JSON text nest deeper than `limit`. Only brackets outside strings count, so the
 * answer is right for valid JSON, and does not matter otherwise.
 *
 * Parsers accept deep nesting, but code that walks over the value recursively overflows its stack. Texts up to twice
 * the limit are not scanned, because brackets must also close. Measured with 64 KiB on Bun and Deno: 90 and 200 µs for
 * small records, which take 130 and 350 to parse; 1 and 20 µs for one long string.
 */
export function nestsDeeper(json: Uint8Array, limit: number): boolean {
  const end = json.length;
  if (end <= 2 * limit) return false;
  let depth = 0;
  for (let at = 0; at < end; at++) {
    const byte = json[at] as number;
    if (byte === quote) {
      at = endOfText(json, at + 1);
    } else if (byte >= 0x5b) {
      if (byte === 0x5b || byte === 0x7b) {
        if (++depth > limit) return true;
      } else if (byte === 0x5d || byte === 0x7d) depth--;
    }
  }
  return false;
}

/** The offset of the quote that ends a string with its first byte at `start`; the text's end without one. */
function endOfText(json: Uint8Array, start: number): number {
  const end = json.length;
  const near = Math.min(end, start + shortText);
  let at = start;
  for (; at < near; at++) {
    const byte = json[at];
    if (byte === quote) return at;
    if (byte === backslash) at++;
  }
  for (;;) {
    const found = json.indexOf(quote, at);
    if (found < 0) return end;
    // A quote after an odd number of backslashes is part of the string.
    let first = found;
    while (first > at && json[first - 1] === backslash) first--;
    if ((found - first) % 2 === 0) return found;
    at = found + 1;
  }
}
