import { integerBelow, parseControlJson, stringifyControlJson } from "./control_json.ts";

/**
 * Header of a request whose payload is staged at its sender until it is fetched, as Velo does above 262 144 bytes: the
 * payload's handle as a decimal number of 128 bits. The payload frame is then empty.
 */
export const stagedHeader = "_rv";

/** Handler that grants a lease on a staged payload, with the size of its chunks. */
export const acquireHandler = "_rv_acquire";
/** Handler that returns one chunk, as its bytes. */
export const pullHandler = "_rv_pull";
/** Handler that ends a lease and frees the payload after it was fetched. */
export const releaseHandler = "_rv_release";
/** Handler that ends a lease and keeps the payload. */
export const detachHandler = "_rv_detach";

/** The handle of a staged payload. */
export interface StagedHandle {
  /** The owner's worker id. */
  readonly owner: bigint;
  /** The payload's number at its owner. */
  readonly local: bigint;
}

/** A lease on a staged payload. */
export interface StagedLease {
  /** Id of the lease, to end it. */
  readonly leaseId: bigint;
  /** Id of the transfer, to fetch a chunk. */
  readonly transferId: bigint;
  /** Bytes of the payload. */
  readonly totalBytes: number;
  /** Bytes of each chunk but the last. */
  readonly chunkBytes: number;
  /** Number of chunks. */
  readonly chunks: number;
}

const encoder = new TextEncoder();
const maxU64 = 2n ** 64n - 1n;
const decimal = /^[0-9]{1,39}$/;

/** Parses the value of {@link stagedHeader}; null when it is not a number of 128 bits. */
export function parseStagedHandle(text: string): StagedHandle | null {
  if (!decimal.test(text)) return null;
  const value = BigInt(text);
  const owner = value >> 64n;
  return owner > maxU64 ? null : { owner, local: value & maxU64 };
}

/** The request of {@link acquireHandler}. */
export function encodeAcquire(handle: StagedHandle): Uint8Array {
  return encode({ handle: wireHandle(handle) });
}

/**
 * Decodes the answer of {@link acquireHandler}. Never throws.
 *
 * @returns The lease, or the text of the error, with the id of a lease to end if one was granted.
 */
export function decodeAcquired(
  bytes: Uint8Array,
): { readonly lease: StagedLease } | { readonly wrong: string; readonly leaseId: bigint | null } {
  const answer = parseControlJson(bytes);
  if (!isRecord(answer)) return { wrong: "the answer of _rv_acquire cannot be read", leaseId: null };
  const ready = answer["Ready"];
  if (!isRecord(ready)) {
    const rdma = answer["Rdma"];
    const leaseId = isRecord(rdma) ? u64(rdma["lease_id"]) : null;
    return { wrong: "the answer of _rv_acquire offers no pieces", leaseId };
  }
  const leaseId = u64(ready["lease_id"]);
  const transferId = u64(ready["transfer_id"]);
  const totalBytes = ready["total_len"];
  const chunkBytes = ready["chunk_size"];
  const chunks = ready["chunk_count"];
  if (
    leaseId === null || transferId === null || !isSize(totalBytes) || !isSize(chunkBytes) || !isSize(chunks)
  ) {
    return { wrong: "the answer of _rv_acquire lacks a number", leaseId };
  }
  const fits = totalBytes === 0
    ? chunks === 0
    : chunkBytes > 0 && chunks === Math.ceil(totalBytes / chunkBytes);
  if (!fits) {
    return { wrong: `${totalBytes} bytes do not come in ${chunks} pieces of ${chunkBytes}`, leaseId };
  }
  return { lease: { leaseId, transferId, totalBytes, chunkBytes, chunks } };
}

/** The request of {@link pullHandler}. */
export function encodePull(transferId: bigint, chunk: number): Uint8Array {
  return encode({ transfer_id: transferId, chunk_index: chunk });
}

/** The message of {@link releaseHandler} and of {@link detachHandler}. */
export function encodeLeaseEnd(handle: StagedHandle, leaseId: bigint): Uint8Array {
  return encode({ handle: wireHandle(handle), lease_id: leaseId });
}

function wireHandle({ owner, local }: StagedHandle): { hi: bigint; lo: bigint } {
  return { hi: owner, lo: local };
}

function encode(message: object): Uint8Array {
  return encoder.encode(stringifyControlJson(message));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function u64(value: unknown): bigint | null {
  return integerBelow(value, maxU64 + 1n);
}
