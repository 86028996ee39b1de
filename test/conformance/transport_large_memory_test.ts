/** Memory of messages that are too large for a batch. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { amHandler } from "../../src/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { until } from "../support/until.ts";
import { pair } from "./messenger_kit.ts";

/** Pages that this process has got from the system. */
const pages = (): number => process.resourceUsage().minorPageFault;

test(
  "messages of 60 KiB use the memory of earlier ones",
  { skip: process.platform !== "linux" },
  async () => {
    await using t = await leakCheck();
    const { server, client, peer } = await pair(t);
    let arrived = 0;
    server.registerHandler(amHandler("sink", () => void arrived++, { dispatch: "inline" }));
    const rawPayload = new Uint8Array(60 * 1024);
    const send = async (count: number): Promise<void> => {
      const wanted = arrived + count;
      for (let i = 0; i < count; i += 8) {
        for (let j = 0; j < 8; j++) void client.amSend("sink", { to: peer, rawPayload });
        await client.amSync("sink", { to: peer });
      }
      await until(() => arrived >= wanted);
    };
    await send(800);
    const before = pages();
    await send(1_600);
    const each = (pages() - before) / 1_600;
    assert.ok(each < 2, `each took ${each} new pages`);
  },
);
