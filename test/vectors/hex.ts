/** The bytes of hexadecimal text; spaces and bars between groups are ignored. */
export function bytesOf(hex: string): Uint8Array {
  const digits = hex.replace(/[\s|]/g, "");
  if (digits.length % 2 !== 0 || /[^0-9a-f]/.test(digits)) throw new TypeError(`Not hexadecimal: ${hex}`);
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The lower-case hexadecimal text of bytes, without spaces. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
