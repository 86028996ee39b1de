import { type Clock, hold } from "../core/mod.ts";
import type { Context, Socket, Source } from "../libzmq/mod.ts";

// ZMTP's signature, and version 3. It names no mechanism, so the other end has no reason to close the connection before
// it has sent its whole greeting.
const opening = Uint8Array.of(0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3);
const mechanismStart = 12;
const mechanismEnd = 32;

/**
 * Asks the listener at an address for its security mechanism (`NULL`, `CURVE`), over a separate connection: its ZMTP
 * greeting names it.
 *
 * A dialler refused for another mechanism may not have seen it: either end closes the connection after reading the
 * other's greeting, and the order is random.
 *
 * @param over Ends the wait when it aborts.
 * @returns `null` when no greeting of ZMTP 3 came in time.
 * @see https://rfc.zeromq.org/spec/23/ "Security"
 */
export async function askMechanism(
  context: Context,
  clock: Clock,
  address: string,
  timeoutMs: number,
  over: AbortSignal,
): Promise<string | null> {
  if (over.aborted || timeoutMs <= 0) return null;
  // Raw bytes in messages [connection, bytes]; an empty one reports that the connection was made, or has ended.
  const socket = context.socket("STREAM");
  const { promise, resolve } = Promise.withResolvers<string | null>();
  try {
    // Bytes that the listener does not read must not delay the end of the context.
    socket.set("LINGER", 0).set("IPV6", 1).set("RECONNECT_IVL", -1).connect(address);
    socket.attach(new Greeting(socket, resolve));
    return await hold(promise, { clock, timeoutMs, signal: over });
  } catch {
    return null;
  } finally {
    socket.close();
  }
}

/** Sends the first bytes of a greeting, and reads the other end's. */
class Greeting implements Source {
  readonly #socket: Socket;
  readonly #end: (mechanism: string | null) => void;
  readonly #read: number[] = [];
  #connected = false;

  constructor(socket: Socket, end: (mechanism: string | null) => void) {
    this.#socket = socket;
    this.#end = end;
  }

  receive(budget: number): number {
    for (let count = 0; count < budget; count++) {
      const parts = this.#socket.closed ? null : this.#socket.receive();
      if (parts === null) return count;
      const [connection, bytes] = parts as [Uint8Array, Uint8Array];
      if (bytes.length > 0) this.#read.push(...bytes.subarray(0, mechanismEnd));
      else if (this.#connected) this.#end(null);
      else {
        this.#connected = true;
        try {
          if (!this.#socket.send([connection, opening])) this.#end(null);
        } catch {
          // The connection has ended already.
          this.#end(null);
        }
      }
      if (this.#read.length >= mechanismEnd) this.#end(mechanismOf(this.#read));
    }
    return budget;
  }
}

/** The mechanism in a greeting; null when it is not one. */
function mechanismOf(greeting: readonly number[]): string | null {
  if (greeting[0] !== 0xff || greeting[9] !== 0x7f || greeting[10]! < 3) return null;
  const name = greeting.slice(mechanismStart, mechanismEnd).filter((byte) => byte !== 0);
  return String.fromCharCode(...name);
}
