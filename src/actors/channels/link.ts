/** What {@link ChannelLink.take} returns when there is no item. */
export const noItem: unique symbol = Symbol("noItem");
/** What {@link ChannelLink.take} returns where the other side has ended its sending. */
export const endMark: unique symbol = Symbol("endMark");

/** What a side hears from the other one. Calls are synchronous and do not throw. */
export interface LinkEvents {
  /** So many more items, or the mark of the end of sending, can be taken. */
  arrived(count: number): void;
  /** There is room again after a write was refused. */
  room(): void;
  /** The other side closes the channel; nothing arrives any more. */
  closing(reason: string): void;
  /** The other side has confirmed the closing; nothing arrives any more. */
  confirmed(): void;
  /** The other side is lost. */
  lost(reason: string): void;
}

/** The way from one side of a channel to the other one. */
export interface ChannelLink {
  /** Begins to tell events, with those of what has arrived already. */
  start(events: LinkEvents): void;
  /**
   * Sends an item.
   *
   * @param value The item as it was given.
   * @param checked The item as its schema made it.
   * @returns False, with nothing sent, without room.
   * @throws {ZeromeshError} If it cannot be sent at all.
   */
  write(value: unknown, checked: unknown): boolean;
  /**
   * Makes of an item what {@link writeKept} sends later, whatever its owner does with it until then. Its schema may still
   * have to check it.
   *
   * @throws {ZeromeshError} If it cannot be encoded.
   */
  keep(value: unknown): unknown;
  /** The bytes of what {@link keep} has made; items that are values count nothing. */
  bytesOf(kept: unknown): number;
  /** As {@link write}. */
  writeKept(kept: unknown, checked: unknown): boolean;
  /** Sends the mark that no more items come. Returns false without room. */
  writeEnd(): boolean;
  /** Tells the other side that this one closes the channel. Nothing is written after it. */
  close(reason: string): void;
  /** Confirms the other side's closing. */
  confirm(): void;
  /** Items that have arrived and wait, with the mark of the end of sending. */
  readonly size: number;
  /** The same after the channel has ended and {@link release} was called, without that mark. */
  readonly left: number;
  /**
   * Takes the next item, and gives its room back to the other side.
   *
   * @returns The item, a promise of it while its schema needs time, {@link noItem} or {@link endMark}.
   * @throws {ZeromeshError} If it is invalid.
   */
  take(): unknown;
  /** The channel has ended: what has arrived gives its room back at once, and can still be taken. */
  release(): void;
  /** Drops what has arrived. */
  drop(): void;
  /** The other side does not confirm the closing: nothing of it is heard any more. */
  cut(): void;
}
