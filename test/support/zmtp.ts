/** ZMTP by hand, for connections that are no socket of libzmq's. */

const text = (of: string) => new TextEncoder().encode(of);

/** The greeting of ZMTP 3.0. */
export function zmtpGreeting(mechanism: "NULL" | "CURVE"): Uint8Array {
  const greeting = new Uint8Array(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0]);
  greeting.set(text(mechanism), 12);
  return greeting;
}

/** The beginning of a command of so many bytes. */
export function zmtpCommand(bytes: number): Uint8Array {
  const head = new Uint8Array(9);
  head[0] = 6;
  new DataView(head.buffer).setBigUint64(1, BigInt(bytes));
  return head;
}

/** The bytes of a ZMTP 3.0 DEALER before its first message: greeting and READY. */
export function zmtpStart(): Uint8Array {
  const greeting = zmtpGreeting("NULL");
  const body = [5, ...text("READY"), 11, ...text("Socket-Type"), 0, 0, 0, 6, ...text("DEALER")];
  return Uint8Array.of(...greeting, 4, body.length, ...body);
}
