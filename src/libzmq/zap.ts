import { encodeZ85 } from "./curve.ts";
import type { Socket } from "./socket.ts";
import type { Source } from "./source.ts";

/**
 * Decides whether a client's public key (Z85) may connect. Only `true` admits it. A check neither throws nor rejects,
 * and ends within a few seconds.
 */
export type KeyCheck = (publicKey: string) => boolean | Promise<boolean>;

const zapEndpoint = "inproc://zeromq.zap.01";
const decoder = new TextDecoder();
const encoder = new TextEncoder();
const none = new Uint8Array(0);

/**
 * The ZAP handler of a context: one non-blocking ROUTER for all domains. It answers when the domain's check has
 * decided; until then libzmq delays that one connection.
 *
 * It answers 200 and 400 only: after 300 the dialler would wait until its own deadline. Malformed requests are refused.
 *
 * @see ZeroMQ RFC 27/ZAP
 */
export class ZapHandler implements Source {
  readonly #socket: Socket;
  readonly #domains = new Map<string, KeyCheck>();

  /** @param socket A ROUTER, which it binds. A context can have one. */
  constructor(socket: Socket) {
    this.#socket = socket;
    this.#socket.set("LINGER", 0);
    this.#socket.bind(zapEndpoint);
    this.#socket.attach(this);
  }

  /** Sets the check of a domain; disposing the result refuses all clients there. */
  setDomain(domain: string, check: KeyCheck): Disposable {
    this.#domains.set(domain, check);
    return {
      [Symbol.dispose]: () => {
        if (this.#domains.get(domain) === check) this.#domains.delete(domain);
      },
    };
  }

  receive(budget: number): number {
    for (let count = 0; count < budget; count++) {
      if (this.#socket.closed) return 0;
      const parts = this.#socket.receive();
      if (parts === null) return count;
      this.#answer(parts);
    }
    return budget;
  }

  #answer(parts: readonly Uint8Array[]): void {
    // [id, empty, version, request id, domain, address, routing id, mechanism, credentials…]
    const [id, empty, version, request, domainName, , , mechanism, key] = parts;
    if (id === undefined || empty === undefined || request === undefined) return;
    const known = decoder.decode(version) === "1.0" && decoder.decode(mechanism) === "CURVE" &&
      key?.length === 32;
    const publicKey = known && key !== undefined ? encodeZ85(key) : "";
    const domain = decoder.decode(domainName);
    const check = known ? this.#domains.get(domain) : undefined;
    const reply = [id, empty, encoder.encode("1.0"), request];
    const decision = check === undefined ? false : check(publicKey);
    if (typeof decision === "boolean") return this.#decide(reply, publicKey, decision);
    void decision.then((admitted) => {
      if (!this.#socket.closed) {
        this.#decide(reply, publicKey, admitted && this.#domains.get(domain) === check);
      }
    });
  }

  #decide(reply: readonly Uint8Array[], publicKey: string, admitted: boolean): void {
    this.#socket.send([
      ...reply,
      encoder.encode(admitted ? "200" : "400"),
      encoder.encode(admitted ? "OK" : "key not allowed"),
      encoder.encode(admitted ? publicKey : ""),
      none,
    ]);
  }
}
