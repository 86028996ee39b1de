import { type Backend, leaseBackend } from "../../ffi/mod.ts";
import { option, type OptionTable, readOptions, ZeromeshError } from "../core/mod.ts";

/** A CURVE key pair: each key 32 bytes as 40 characters of Z85. */
export interface CurveKeyPair {
  /** Public key, for peers. */
  readonly publicKey: string;
  /** Secret key. */
  readonly secretKey: string;
}

/** Options of {@link curveKeyPair}. */
export interface CurveKeyPairOptions {
  /** Path of a libzmq to load instead of searching for one. */
  library?: string | undefined;
}

const keyPairOptionTable: OptionTable<CurveKeyPairOptions> = { library: option.text };

const z85Alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/**
 * A new CURVE key pair.
 *
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` when libzmq was built without CURVE; `LIBZMQ_NOT_FOUND`.
 * @see man zmq_curve_keypair(3)
 *
 * @example Usage
 * ```ts ignore
 * const keys = await curveKeyPair();
 * await using messenger = await Messenger.create({ curve: { ...keys, allow: [peerPublicKey] } });
 * ```
 */
export async function curveKeyPair(options?: CurveKeyPairOptions): Promise<CurveKeyPair> {
  const { library } = readOptions(options, keyPairOptionTable, "Cannot make a key pair");
  using lease = await leaseBackend({ library });
  return lease.backend.curveKeyPair() ?? failWithoutCurve(lease.backend);
}

/** @throws {ZeromeshError} `FEATURE_UNAVAILABLE` when this libzmq has no CURVE. */
export function requireCurve(backend: Backend): void {
  if (!backend.library.capabilities.includes("curve")) failWithoutCurve(backend);
}

/**
 * Checks that this libzmq has CURVE and that a key pair is one: with keys of two pairs every handshake fails, and
 * neither end can tell the reason.
 *
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` without CURVE.
 * @throws {TypeError} If the public key belongs to another secret key.
 */
export function requireKeyPair(backend: Backend, keys: CurveKeyPair): void {
  requireCurve(backend);
  const belongs = backend.curvePublicKey(keys.secretKey);
  if (belongs === null || belongs === keys.publicKey) return;
  throw new TypeError(
    "Cannot use these CURVE keys: curve.publicKey and curve.secretKey do not belong together (the public key of " +
      `this secret key is ${belongs})`,
  );
}

/** Whether a text is a key: 40 characters of Z85. */
export function isCurveKey(text: unknown): text is string {
  return typeof text === "string" && text.length === 40 && [...text].every((c) => z85Alphabet.includes(c));
}

/**
 * Encodes bytes, a multiple of 4, in Z85.
 *
 * @see ZeroMQ RFC 32/Z85
 */
export function encodeZ85(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    const value = view.getUint32(at);
    for (let power = 85 ** 4; power >= 1; power /= 85) text += z85Alphabet[Math.floor(value / power) % 85];
  }
  return text;
}

function failWithoutCurve(backend: Backend): never {
  throw new ZeromeshError(
    "FEATURE_UNAVAILABLE",
    `CURVE is not available: ${backend.library.path} (libzmq ${backend.library.version}) was built without it; ` +
      "install another libzmq, or give its path as library",
  );
}
