import {
  type Clock,
  describeValue,
  type Guard,
  option,
  type OptionKind,
  type OptionTable,
  requireOption,
} from "../core/mod.ts";
import { type CurveIdentity, isCurveKey } from "../transport/mod.ts";
import { keyCheck } from "./peers/key_check.ts";

/** Keys of an instance that uses CURVE. */
export interface CurveOptions {
  /** Its public key: 40 characters of Z85, as `curveKeyPair()` makes them. */
  publicKey: string;
  /** Its secret key, Z85. */
  secretKey: string;
  /**
   * Public keys that may connect: a list, a function that is called for each connection, or `"any"` for every key whose
   * owner connects. The function admits a key by `true`, or a promise of it within 2 seconds; everything else refuses
   * it.
   * @default {[]: none}
   */
  allow?: readonly string[] | ((publicKey: string) => boolean | Promise<boolean>) | "any" | undefined;
}

/** A CURVE public key. */
export const publicKeyOption: OptionKind = option.kind("40 characters of Z85", isCurveKey);

/** The options of `curve`. */
export const curveOptionTable: OptionTable<CurveOptions> = {
  publicKey: publicKeyOption,
  secretKey: option.kind("40 characters of Z85", isCurveKey, { secret: true }),
  allow: option.kind(
    'a list of keys, a function or "any"',
    (value) => value === "any" || typeof value === "function" || Array.isArray(value),
  ),
};

/** Makes the identity of checked options. @throws {TypeError} If a key is missing or invalid. */
export function resolveCurve(curve: CurveOptions, guard: Guard, clock: Clock): CurveIdentity {
  const { allow = [] } = curve;
  const publicKey = requireOption(curve, "publicKey", curveOptionTable, "Cannot use these keys of curve");
  const secretKey = requireOption(curve, "secretKey", curveOptionTable, "Cannot use these keys of curve");
  if (allow === "any") return { publicKey, secretKey, check: () => true };
  if (typeof allow === "function") return { publicKey, secretKey, check: keyCheck(allow, guard, clock) };
  for (const key of allow) {
    if (isCurveKey(key)) continue;
    throw new TypeError(
      `Cannot create a messenger: curve.allow holds ${describeValue(key)}, which is not a key`,
    );
  }
  const allowed = new Set(allow);
  return { publicKey, secretKey, check: (key) => allowed.has(key) };
}
