import { type Context, type KeyCheck, requireCurve, type Socket } from "../libzmq/mod.ts";

/** The keys of an instance that uses CURVE, and its check of clients' keys. */
export interface CurveIdentity {
  /** Public key, Z85. */
  readonly publicKey: string;
  /** Secret key, Z85. */
  readonly secretKey: string;
  /** Decides whether a client's key may connect. */
  readonly check: KeyCheck;
}

/**
 * Makes a listener accept allowed CURVE keys only.
 *
 * libzmq asks only with a domain and its enforcement: without either, every key is accepted.
 *
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` when libzmq has no CURVE.
 */
export function secureListener(
  context: Context,
  socket: Socket,
  domain: string,
  curve: CurveIdentity,
): Disposable {
  requireCurve(context.backend);
  const registration = context.zap.setDomain(domain, curve.check);
  socket.set("CURVE_SERVER", 1)
    .set("CURVE_PUBLICKEY", curve.publicKey)
    .set("CURVE_SECRETKEY", curve.secretKey)
    .set("ZAP_DOMAIN", domain)
    .set("ZAP_ENFORCE_DOMAIN", 1);
  return registration;
}

/** Makes a dialled socket prove this instance's identity, and accept only the owner of `serverKey`. */
export function secureDialler(
  context: Context,
  socket: Socket,
  curve: CurveIdentity,
  serverKey: string,
): void {
  requireCurve(context.backend);
  socket.set("CURVE_SERVERKEY", serverKey)
    .set("CURVE_PUBLICKEY", curve.publicKey)
    .set("CURVE_SECRETKEY", curve.secretKey);
}
