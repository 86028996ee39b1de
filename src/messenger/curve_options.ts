import type { Clock, Guard } from "../core/mod.ts";
import { type CurveIdentity, isCurveKey } from "../transport/mod.ts";
import { keyCheck } from "./peers/key_check.ts";

/** Keys of an instance that uses CURVE. */
export interface CurveOptions {
  /** Its public key: 40 characters of Z85, as `curveKeyPair()` makes them. */
  publicKey: string;
  /** Its secret key, Z85. */
  secretKey: string;
  /**
   * Public keys that may connect: a list, a function that is asked for each connection, or `"any"`, which lets in
   * everybody who owns the key they show. The function answers `true`, or a promise of it within 2 seconds, to let a
   * key in; whatever else it does refuses the key.
   * @default {[]: nobody}
   */
  allow?: readonly string[] | ((publicKey: string) => boolean | Promise<boolean>) | "any" | undefined;
}

/** Checks the keys, and makes of `allow` what a connection is asked by. */
export function resolveCurve(curve: CurveOptions, guard: Guard, clock: Clock): CurveIdentity {
  const { publicKey, secretKey, allow = [] } = curve;
  for (const [name, key] of Object.entries({ publicKey, secretKey })) {
    if (!isCurveKey(key)) {
      throw new TypeError(`Cannot create a messenger: curve.${name} must be 40 characters of Z85`);
    }
  }
  if (allow === "any") return { publicKey, secretKey, check: () => true };
  if (typeof allow === "function") return { publicKey, secretKey, check: keyCheck(allow, guard, clock) };
  if (!Array.isArray(allow)) {
    throw new TypeError(
      `Cannot create a messenger: curve.allow must be a list of keys, a function or "any", got ${typeof allow}`,
    );
  }
  for (const key of allow) {
    if (!isCurveKey(key)) {
      throw new TypeError(
        `Cannot create a messenger: curve.allow holds ${JSON.stringify(key)}, which is no key`,
      );
    }
  }
  const allowed = new Set(allow);
  return { publicKey, secretKey, check: (key) => allowed.has(key) };
}
