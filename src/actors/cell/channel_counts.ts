/** Counters of the channels of a system. */
export interface ChannelStats {
  /** Sides of channels that actors of this system have. */
  readonly open: number;
  /** Channels that wait for `accept`. */
  readonly opening: number;
  /** Channels that actors of this system have accepted. */
  readonly accepted: number;
  /** Channels that actors of this system have rejected, or that failed in `open`. */
  readonly rejected: number;
  /** Channels whose opener gave up before they were accepted. */
  readonly abandoned: number;
  /** Channels refused at `maxChannels`, `maxPeerChannels` or `maxPendingOpens`. */
  readonly refused: number;
  /** Sides that have ended because the other one was lost. */
  readonly lost: number;
  /** Items refused at `maxUnsent` or `maxUnsentBytes`. */
  readonly itemsRefused: number;
  /** Closings that did not wait any longer, at `channelCloseMs`, for room or for the other side's confirmation. */
  readonly cut: number;
}

/** {@link ChannelStats}, while they change. */
export type ChannelCounts = { -readonly [K in keyof ChannelStats]: ChannelStats[K] };

/** No channel yet. */
export function channelCounts(): ChannelCounts {
  const ends = { rejected: 0, abandoned: 0, refused: 0, lost: 0, cut: 0 };
  return { open: 0, opening: 0, accepted: 0, itemsRefused: 0, ...ends };
}
