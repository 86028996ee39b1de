/** ZMTP by hand, for connections that are no socket of libzmq's. */

const text = (of: string) => new TextEncoder().encode(of);

/** What a ZMTP 3.0 DEALER says before its first message: greeting and READY. */
export function zmtpStart(): Uint8Array {
  const greeting = new Uint8Array(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  greeting.set(text("NULL"), 12);
  const body = [5, ...text("READY"), 11, ...text("Socket-Type"), 0, 0, 0, 6, ...text("DEALER")];
  return Uint8Array.of(...greeting, 4, body.length, ...body);
}
