import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { WaitOptions } from "../../messenger/mod.ts";
import { encodeRenewals, maxRenewals, type Renewal, renewHandler } from "../wire/control.ts";
import { workerOfHandle } from "../wire/handle.ts";
import type { AnchorTable } from "./anchor_table.ts";
import { readerOf } from "./attaching.ts";

/**
 * Asks the readers of anchors to go on waiting, with one message for as many anchors as it can name.
 *
 * @throws {ZeromeshError} The first error, after all readers were asked.
 */
export async function renewAll(
  table: AnchorTable,
  renewals: readonly Renewal[],
  wait: WaitOptions,
): Promise<void> {
  table.requireOpen("Cannot renew anchors");
  const byWorker = Map.groupBy(renewals, ({ handle }) => workerOfHandle(handle));
  table.renew(byWorker.get(table.port.workerId) ?? []);
  byWorker.delete(table.port.workerId);
  const outcomes = await Promise.allSettled(
    Array.from(byWorker, async ([worker, some]) => {
      const peer = await readerOf(table, worker, some[0]!.handle);
      for (let at = 0; at < some.length; at += maxRenewals) {
        await ask(table, peer, some.slice(at, at + maxRenewals), wait);
      }
    }),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

async function ask(
  { port }: AnchorTable,
  peer: InstanceId,
  renewals: readonly Renewal[],
  wait: WaitOptions,
): Promise<void> {
  try {
    await port.call(renewHandler, peer, encodeRenewals(renewals), wait);
  } catch (error) {
    if (!(error instanceof ZeromeshError)) throw error; // the signal's reason
    const code = error.code === "HANDLER_NOT_FOUND" ? "PEER_LACKS_FEATURE" : error.code;
    throw new ZeromeshError(
      code,
      `Cannot renew ${renewals.length} anchors of peer ${port.textOf(peer)}: ${error.message}`,
      { peer, ran: error.ran, cause: error },
    );
  }
}
