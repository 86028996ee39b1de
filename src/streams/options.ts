import { option, type OptionTable, withDefaults } from "../core/mod.ts";

/** Limits of the streams of a messenger. */
export interface StreamLimits {
  /** Items that a writer may send before this instance has read some of them, for each stream. @default {1_024} */
  windowItems?: number | undefined;
  /** The same in bytes; one item may exceed what is left of them. @default {1_048_576} */
  windowBytes?: number | undefined;
  /**
   * Streams open with one peer, in each direction; at the limit opening another one fails with `LIMIT_REACHED`.
   * @default {16_384}
   */
  maxPeerStreams?: number | undefined;
  /**
   * Bytes of all streams to one peer that the peer has not read, at most half of the `maxPeerBytes` of the peer; at the
   * limit writers wait. What streams of a peer leave unread here is part of its `maxPeerBytes`; the streams that exceed
   * all of it end. @default {16_777_216}
   */
  maxPeerBytes?: number | undefined;
  /** Streams of one peer that wait for their handler; at the limit further ones are refused. @default {1_024} */
  maxUnclaimed?: number | undefined;
  /**
   * Bytes of all peers' streams that wait for their handler. Each peer has a share of them; at the limit the stream that
   * exceeds it ends. @default {268_435_456}
   */
  maxUnclaimedBytes?: number | undefined;
  /** Anchors of this instance; at the limit making another one fails with `LIMIT_REACHED`. @default {65_536} */
  maxAnchors?: number | undefined;
}

/**
 * {@link StreamLimits} with its defaults.
 *
 * @ignore
 */
export type ResolvedStreamLimits = { readonly [K in keyof StreamLimits]-?: number };

const size = option.whole(1, 0x7fff_ffff);

/** The limits of streams. */
export const streamLimitTable = {
  windowItems: option.whole(1, 65_535).or(1_024),
  windowBytes: size.or(1024 * 1024),
  maxPeerStreams: option.whole(1, 0xff_ffff).or(16_384),
  maxPeerBytes: size.or(16 * 1024 * 1024),
  maxUnclaimed: size.or(1_024),
  maxUnclaimedBytes: size.or(256 * 1024 * 1024),
  maxAnchors: size.or(65_536),
} satisfies OptionTable<StreamLimits>;

/**
 * Fills in the defaults.
 *
 * @ignore
 */
export function resolveStreamLimits(limits: StreamLimits = {}): ResolvedStreamLimits {
  return withDefaults(limits, streamLimitTable);
}
