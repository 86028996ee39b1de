import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import { checkArgument, option, ZeromeshError } from "./core/mod.ts";
import { type CurveKeyPair, isCurveKey } from "./libzmq/mod.ts";

/**
 * Reads a CURVE key pair from a file that `zeromesh keys new FILE` has written: JSON with `publicKey` and `secretKey`.
 *
 * @param path The file. Only its owner may have rights to it (`chmod 600`).
 * @throws {ZeromeshError} `FORBIDDEN` if the file's group or others can read or change it.
 * @throws {TypeError} If the path is not a string, or the file holds no key pair.
 * @throws {Error} The system's own error if the file cannot be read, with its `code`, such as `ENOENT`.
 *
 * @example Usage
 * ```ts ignore
 * await using messenger = await Messenger.create({
 *   curve: { ...readKeyPair("service.json"), allow: [clientPublicKey] },
 * });
 * ```
 */
export function readKeyPair(path: string): CurveKeyPair {
  checkArgument("path", path, option.text, "Cannot read a key pair");
  const file = openSync(path, "r");
  try {
    const mode = fstatSync(file).mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new ZeromeshError(
        "FORBIDDEN",
        `Cannot use the keys of ${path}: other users have access to the file (mode ${
          mode.toString(8).padStart(3, "0")
        }); run chmod 600, and make new keys if another user may have read it`,
        { details: { path, mode } },
      );
    }
    return parseKeyPair(path, readFileSync(file, "utf8"));
  } finally {
    closeSync(file);
  }
}

/** No error quotes the text: it may hold a secret. */
function parseKeyPair(path: string, text: string): CurveKeyPair {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TypeError(`Cannot use the keys of ${path}: the file is not JSON`);
  }
  const { publicKey, secretKey } = (value ?? {}) as { publicKey?: unknown; secretKey?: unknown };
  if (isCurveKey(publicKey) && isCurveKey(secretKey)) return { publicKey, secretKey };
  const wrong = isCurveKey(publicKey) ? "secretKey" : "publicKey";
  throw new TypeError(`Cannot use the keys of ${path}: its ${wrong} must be 40 characters of Z85`);
}
