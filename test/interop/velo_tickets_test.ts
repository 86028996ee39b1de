/** Tickets between us and a Rust node on the crate `velo` 0.21.0: streams that are opened without asking. */
import assert from "node:assert/strict";
import { test } from "../support/testing.ts";
import { z } from "zod";
import { streams } from "../../src/streams/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { pause, until } from "../support/until.ts";
import { noVeloNode as skip } from "../support/velo_node.ts";
import { acquainted, untilNothing } from "../support/velo_streams.ts";

const row = z.tuple([z.number(), z.string()]);

test(
  "a Rust Velo node sends by our ticket, and is stopped and cancelled through the stream",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const anchor = streams(ours).anchor({ schema: row });
    const handle = String(anchor.handle);
    const ticket = anchor.ticket();
    const { attachRefusals } = ours.stats().streams!;
    const sender = await node.openSender(handle, ticket);
    // More than the window, at our pace.
    const flood = node.stream("flood", { ...sender, count: 3_000 });
    for (let i = 0; i < 3_000; i++) assert.deepEqual((await anchor.next()).value, [i, "flood"]);
    await flood;
    assert.equal(anchor.senders, 1);
    const state = async () =>
      await node.stream("state", { ...sender }) as { cancelled: boolean; stopping: boolean };
    anchor.stop();
    await until(async () => (await state()).stopping, { message: "the request to finish" });
    assert.equal((await state()).cancelled, false);
    // A second one with the same ticket is not attached, and notices at its first items.
    const second = await node.openSender(handle, ticket);
    await until(async () => (await node.stream("state", { ...second }) as { cancelled: boolean }).cancelled);
    anchor.cancel();
    await until(async () => (await state()).cancelled, { message: "the cancel" });
    assert.equal(ours.stats().streams!.attachRefusals, attachRefusals);

    const finished = streams(ours).anchor({ schema: row });
    const last = await node.openSender(String(finished.handle), finished.ticket());
    await node.stream("send", { ...last, items: [[1, "a"]] });
    await node.stream("finalize", { ...last });
    assert.deepEqual(await Array.fromAsync(finished), [[1, "a"]]);
    await untilNothing(ours);
  },
);

test(
  "we send by a ticket of a Rust Velo node, and are stopped and cancelled through the stream",
  { skip },
  async () => {
    await using t = await leakCheck();
    const { ours, node } = await acquainted(t);
    const handle = await node.newAnchor();
    const ticket = await node.newTicket(handle);
    const mine = streams(ours).anchor();
    assert.deepEqual(Object.keys(ticket).sort(), Object.keys(mine.ticket()).sort());
    mine.cancel();
    const sender = await streams(ours).attach(handle, { schema: row, ticket });
    const sending = (async () => {
      for (let i = 0; i < 500; i++) await sender.send([i, "x"]);
    })();
    assert.deepEqual(
      await node.readAnchor(handle, 500),
      Array.from({ length: 500 }, (_, i) => ({ item: [i, "x"] })),
    );
    await sending;
    await node.stream("stop", { handle });
    await until(() => sender.stopping.aborted, { message: "the request to finish" });
    await sender.send([500, "y"]);
    await sender.finalize();
    assert.deepEqual(await node.readAnchor(handle, 3), [{ item: [500, "y"] }, "finalized", "end"]);

    const again = await node.newAnchor();
    const used = await node.newTicket(again);
    const first = await streams(ours).attach(again, { ticket: used });
    await first.send([1, "a"]);
    const second = await streams(ours).attach(again, { ticket: used });
    await until(() => second.cancelled.aborted, { message: "the end of the second sender" });
    assert.equal((await second.closed as { code?: string }).code, "STREAM_FAILED");
    await node.stream("cancel", { handle: again });
    await until(() => first.cancelled.aborted, { message: "the cancel" });
    assert.equal((await first.closed as { code?: string }).code, "CANCELLED");
    await untilNothing(ours);
  },
);

test("a Rust Velo node and we keep each other's anchors and tickets alive", { skip }, async () => {
  await using t = await leakCheck();
  const { ours, node } = await acquainted(t);
  const kept = streams(ours).anchor({ unattachedTimeoutMs: 1_500 });
  const reserved = streams(ours).anchor({ unattachedTimeoutMs: 50 });
  const ticket = reserved.ticket({ timeoutMs: 1_500 });
  const left = streams(ours).anchor({ unattachedTimeoutMs: 1_500 });
  const theirs = await node.newAnchor({ unattachedMs: 1_500 });
  for (let i = 0; i < 7; i++) {
    await node.stream("renew", {
      held: [{ handle: String(kept.handle) }, { handle: String(reserved.handle), ticket }],
    });
    await streams(ours).renew([{ handle: theirs }]);
    await pause(300);
  }
  assert.equal((await left.closed as { code?: string }).code, "TIMEOUT");
  const one = await node.newSender(String(kept.handle));
  const two = await node.openSender(String(reserved.handle), ticket);
  for (const [sender, anchor] of [[one, kept], [two, reserved]] as const) {
    await node.stream("send", { ...sender, items: [[1, "a"]] });
    await node.stream("finalize", { sender: sender.sender });
    assert.deepEqual(await Array.fromAsync(anchor), [[1, "a"]]);
  }
  await (await streams(ours).attach(theirs)).finalize();
  await untilNothing(ours);
});
