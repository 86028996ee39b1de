const encoder = new TextEncoder();

/** Text for C: UTF-8 with a final NUL. */
export function cString(text: string): Uint8Array {
  return encoder.encode(`${text}\0`);
}

/** The text before the first NUL. */
export function fromCString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
