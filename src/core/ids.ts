import { xxh3Of16 } from "./xxh3.ts";

/** An instance's id: a lowercase UUID string. On the wire it is its 16 bytes in RFC 9562 order. */
export type InstanceId = string & { readonly "~brand": "InstanceId" };

/** XXH3-64 of an instance id's 16 bytes. Response ids and Velo's reply routing carry it. */
export type WorkerId = bigint & { readonly "~brand": "WorkerId" };

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a value is a lowercase hyphenated UUID. */
export function isInstanceId(value: unknown): value is InstanceId {
  return typeof value === "string" && uuidPattern.test(value);
}

/**
 * Parses an instance id.
 *
 * @throws {TypeError} If the text is not a hyphenated UUID.
 */
export function instanceId(text: string): InstanceId {
  const lower = String(text).toLowerCase();
  if (isInstanceId(lower)) return lower;
  throw new TypeError(`Cannot use ${JSON.stringify(text)} as an instance id: it is not a UUID`);
}

/** The 16 bytes of an instance id, in RFC 9562 order. */
export function instanceIdToBytes(id: InstanceId): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(16));
  const hex = id.replaceAll("-", "");
  for (let i = 0; i < 16; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return bytes;
}

/** The instance id whose 16 bytes start at `at`. The caller has checked the length. */
export function instanceIdFromBytes(bytes: Uint8Array, at = 0): InstanceId {
  let hex = "";
  for (let i = 0; i < 16; i++) hex += (bytes[at + i] ?? 0).toString(16).padStart(2, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${
    hex.slice(20)
  }` as InstanceId;
}

/** The worker id of an instance (XXH3-64, seed 0, of the 16 bytes). */
export function workerIdOf(id: InstanceId): WorkerId {
  return xxh3Of16(instanceIdToBytes(id)) as WorkerId;
}

/** A new random instance id whose worker id is not 0 and whose first byte is not 0. */
export function newInstanceId(): InstanceId {
  // libzmq's own ids begin with a byte of 0; worker id 0 is Velo's "no worker".
  for (;;) {
    const id = crypto.randomUUID() as InstanceId;
    if (!id.startsWith("00") && workerIdOf(id) !== 0n) return id;
  }
}
