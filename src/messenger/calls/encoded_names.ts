import { encodeTtlHeaders, validateHandlerName } from "../../wire/mod.ts";

// As many as an instance may have handlers: a service that calls each of 10 000 by name pays no more than for one.
const maxCachedNames = 65_536;
const maxCachedTtls = 64;

/** Bytes of handler names and deadlines that are sent again and again. */
export class EncodedNames {
  readonly #names = new Map<string, Uint8Array>();
  // Apart from those of users, who may not call them.
  readonly #systemNames = new Map<string, Uint8Array>();
  readonly #ttls = new Map<number, Uint8Array>();

  /** A user's handler. @throws {ZeromeshError} `NAME_INVALID`. */
  user(name: string): Uint8Array {
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      // A copy, whose bytes a runtime keeps next to the array: with thousands of names that is less to fetch from memory.
      bytes = new Uint8Array(validateHandlerName(name));
      if (this.#names.size >= maxCachedNames) this.#names.clear();
      this.#names.set(name, bytes);
    }
    return bytes;
  }

  /** A handler of the system's, of which there are few. */
  system(name: string): Uint8Array {
    let bytes = this.#systemNames.get(name);
    if (bytes === undefined) this.#systemNames.set(name, bytes = validateHandlerName(name, { system: true }));
    return bytes;
  }

  /** The header map of a call whose only header is its deadline. */
  ttl(ttlMs: number): Uint8Array {
    const whole = Math.ceil(ttlMs);
    let bytes = this.#ttls.get(whole);
    if (bytes === undefined) {
      bytes = encodeTtlHeaders(whole);
      if (this.#ttls.size >= maxCachedTtls) this.#ttls.clear();
      this.#ttls.set(whole, bytes);
    }
    return bytes;
  }
}
