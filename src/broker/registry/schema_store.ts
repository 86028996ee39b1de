import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { ChannelPattern } from "../contract.ts";
import type { SchemaView } from "../protocol/contracts.ts";

/** A schema that the store knows, with the channel that used it last. */
export interface StoredSchema extends SchemaView {
  /** The channel whose schema it was last. */
  readonly channel: string;
  /** How its messages travel. */
  readonly pattern: ChannelPattern;
}

/** What the store remembers of a channel. */
interface KnownChannel {
  readonly hash: string | null;
  readonly version: string;
  readonly pattern: ChannelPattern;
  readonly epoch: number;
}

interface KnownText {
  readonly text: string;
  readonly version: string;
  readonly channel: string;
  readonly pattern: ChannelPattern;
}

/**
 * The schemas of channels, also of those that have ended. It is bounded by number and by the characters of all texts; what was
 * not used for longest goes first. A live channel whose text has gone still has its hash.
 */
export class SchemaStore {
  readonly #texts: LRUCache<string, KnownText>;
  readonly #channels: LRUCache<string, KnownChannel>;

  constructor(maxSchemas: number, maxCharacters: number) {
    this.#texts = new LRUCache({
      max: maxSchemas,
      maxSize: maxCharacters,
      sizeCalculation: ({ text }) => text.length + 1,
    });
    this.#channels = new LRUCache({ max: maxSchemas });
  }

  /** Texts in the store. */
  get size(): number {
    return this.#texts.size;
  }

  /** The hash of a schema's text, if it is another than the schema says; null if it is right. */
  wrongHash({ hash, text }: SchemaView): string | null {
    if (hash === null || text === null || this.#texts.peek(hash)?.text === text) return null;
    const right = createHash("sha256").update(text).digest("hex");
    return right === hash ? null : right;
  }

  /** The epoch of the last producer of a channel; 0 if it had none, or none that is remembered. */
  epochOf(channel: string): number {
    return this.#channels.peek(channel)?.epoch ?? 0;
  }

  /** Remembers the schema of a channel, whose hash is right. */
  put(channel: string, { hash, text, version }: SchemaView, pattern: ChannelPattern, epoch: number): void {
    this.#channels.set(channel, { hash, version, pattern, epoch });
    if (hash !== null && text !== null) this.#texts.set(hash, { text, version, channel, pattern });
  }

  /** The schema of a channel; undefined if it is not known. */
  ofChannel(channel: string): StoredSchema | undefined {
    const known = this.#channels.get(channel);
    if (known === undefined) return undefined;
    const { hash, version, pattern } = known;
    const text = hash === null ? null : this.#texts.get(hash)?.text ?? null;
    return { hash, text, version, channel, pattern };
  }

  /** The schema with a hash; undefined if it is not known. */
  ofHash(hash: string): StoredSchema | undefined {
    const known = this.#texts.get(hash);
    return known && { hash, ...known };
  }
}
