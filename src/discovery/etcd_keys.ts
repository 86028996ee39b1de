/** A key of etcd with its value, as text. */
export interface EtcdEntry {
  /** The key. */
  readonly key: string;
  /** The value. */
  readonly value: string;
}

/** Encodes text in base64, the gateway's form of bytes. */
export function toBase64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Decodes text from base64; invalid input is empty. */
export function fromBase64(text: unknown): string {
  if (typeof text !== "string") return "";
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0)));
  } catch {
    return "";
  }
}

/** The request fields for all keys with a prefix. */
export function underPrefix(prefix: string): { key: string; range_end: string } {
  // The prefixes end with "/", and "0" is the next character.
  return { key: toBase64(prefix), range_end: toBase64(`${prefix.slice(0, -1)}0`) };
}

/** The entries in an answer to a range request. */
export function entriesOf(answer: Record<string, unknown>): EtcdEntry[] {
  const kvs = answer["kvs"];
  return (Array.isArray(kvs) ? kvs as Record<string, unknown>[] : []).map(entryOf);
}

/** A key-value pair of the gateway. */
export function entryOf(kv: Record<string, unknown> | undefined): EtcdEntry {
  return { key: fromBase64(kv?.["key"]), value: fromBase64(kv?.["value"]) };
}

/** The revision in an answer's header. */
export function revisionOf(answer: Record<string, unknown>): bigint {
  const header = answer["header"] as { revision?: unknown } | undefined;
  return BigInt(String(header?.revision ?? "0"));
}
