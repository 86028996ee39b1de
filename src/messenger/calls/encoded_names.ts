import { encodeTtlHeaders, validateHandlerName } from "../../wire/mod.ts";

// As many as an instance may have handlers: a caller of each of 10 000 pays no more than for one.
const maxCachedNames = 65_536;
const maxCachedTtls = 64;

/** Cached bytes of handler names and deadlines. */
export class EncodedNames {
  readonly #names = new Map<string, Uint8Array>();
  // Separate from users' names, since users must not call them.
  readonly #systemNames = new Map<string, Uint8Array>();
  readonly #ttls = new Map<number, Uint8Array>();

  /** The name of a user's handler. @throws {ZeromeshError} `NAME_INVALID`. */
  user(name: string): Uint8Array {
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      // A copy keeps its bytes next to the array: with thousands of names that saves memory accesses.
      bytes = new Uint8Array(validateHandlerName(name));
      if (this.#names.size >= maxCachedNames) this.#names.clear();
      this.#names.set(name, bytes);
    }
    return bytes;
  }

  /** The name of a system handler; there are few. */
  system(name: string): Uint8Array {
    let bytes = this.#systemNames.get(name);
    if (bytes === undefined) this.#systemNames.set(name, bytes = validateHandlerName(name, { system: true }));
    return bytes;
  }

  /** A header map with only the deadline. */
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
