/** A side of a channel whose other side does what it should not. */
import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { channelCounts } from "../../src/actors/cell/channel_counts.ts";
import { ItemIterator } from "../../src/actors/channels/item_iterator.ts";
import { type ChannelLink, noItem } from "../../src/actors/channels/link.ts";
import { Side } from "../../src/actors/channels/side.ts";
import { systemDefaults } from "../../src/actors/options/system_options.ts";
import { Deadlines } from "../../src/core/mod.ts";
import { FakeClock } from "./core_fake_clock.ts";

/** A way to a side that takes so many items, and says nothing. */
class SilentLink implements ChannelLink {
  readonly size = 0;
  readonly left = 0;
  readonly done: string[] = [];
  room: number;

  constructor(room: number) {
    this.room = room;
  }

  start(): void {}
  write(): boolean {
    return this.room-- > 0;
  }
  keep(value: unknown): unknown {
    return value;
  }
  bytesOf(kept: unknown): number {
    return (kept as string).length;
  }
  writeKept(): boolean {
    return this.write();
  }
  writeEnd(): boolean {
    return this.write();
  }
  close(reason: string): void {
    this.done.push(`close: ${reason}`);
  }
  confirm(): void {}
  take(): unknown {
    return noItem;
  }
  release(): void {}
  drop(): void {}
  cut(): void {
    this.done.push("cut");
  }
}

function sideTo(link: SilentLink, limits: Partial<typeof systemDefaults> = {}) {
  const clock = new FakeClock();
  const counts = channelCounts();
  const side = new Side({
    id: "1",
    name: "line",
    role: "opener",
    opener: "" as never,
    other: "other",
    first: undefined,
    schema: z.string(),
    link,
    receiver: new ItemIterator(),
    owners: [],
    clock,
    deadlines: new Deadlines(clock),
    limits: { ...systemDefaults, ...limits },
    counts,
    idleTimeoutMs: Infinity,
    hold: null,
    traced: null,
  }).begin();
  return { side, clock, counts };
}

describe("a side of a channel", () => {
  test("ends by itself if the other side does not confirm its closing within channelCloseMs", async () => {
    const link = new SilentLink(10);
    const { side, clock, counts } = sideTo(link, { channelCloseMs: 100 });
    await side.close("enough");
    await Promise.resolve();
    expect(side.status.state).toBe("closing");
    clock.advance(90);
    expect(side.end).toBeNull();
    clock.advance(20);
    expect(side.end).toEqual({ closedBy: "opener", reason: "enough" });
    expect(link.done).toEqual(["close: enough", "cut"]);
    expect(counts.cut).toBe(1);
    expect(clock.timers).toEqual([]);
  });

  test("waits for room and then for the confirmation, each within channelCloseMs", async () => {
    const link = new SilentLink(0);
    const { side, clock, counts } = sideTo(link, { channelCloseMs: 100 });
    const sending = side.send("x").catch(({ code }) => code);
    const closing = side.close("enough");
    await Promise.resolve();
    clock.advance(110);
    await closing;
    expect(await sending).toBe("ACTOR_CHANNEL_CLOSED");
    expect(link.done).toEqual(["close: enough"]);
    await Promise.resolve();
    clock.advance(110);
    expect(side.end).not.toBeNull();
    expect(link.done).toEqual(["close: enough", "cut"]);
    expect(counts.cut).toBe(2);
  });

  test("that is confirmed in time cuts nothing", async () => {
    const link = new SilentLink(10);
    const { side, clock, counts } = sideTo(link);
    await side.close("enough");
    side.confirmed();
    await Promise.resolve();
    clock.advance(60_000);
    expect([link.done, counts.cut]).toEqual([["close: enough"], 0]);
  });

  test("refuses items without room beyond maxUnsent and maxUnsentBytes, and counts them", async () => {
    const { side, counts } = sideTo(new SilentLink(0), { maxUnsent: 2, maxUnsentBytes: 10 });
    void side.send("12345");
    expect(side.status.waiting).toBe(1);
    await expect(side.send("123456")).rejects.toMatchObject({ code: "QUEUE_FULL", ran: "no" });
    void side.send("1");
    await expect(side.send("1")).rejects.toMatchObject({ code: "QUEUE_FULL", ran: "no" });
    expect(counts.itemsRefused).toBe(2);
    side.lost("peerLost");
  });
});
