import { Errno } from "../libzmq/mod.ts";
import { errnoError } from "./errors.ts";
import { library } from "./library.ts";

/** A CURVE key pair: each key 40 characters of Z85. */
export interface CurveKeyPair {
  /** Public key, for peers. */
  publicKey: string;
  /** Secret key. */
  secretKey: string;
}

/** A new CURVE key pair. @throws {ErrnoError} `ENOTSUP` when libzmq was built without CURVE. */
export function curveKeyPair(): CurveKeyPair {
  const keys = library().curveKeyPair();
  if (keys === null) throw errnoError(Errno.ENOTSUP, { detail: "The loaded libzmq was built without CURVE" });
  return keys;
}
