import type { Logger } from "../../core/mod.ts";
import type { LinkLoss } from "../../transport/mod.ts";
import type { Session, Terms } from "../peers/peer.ts";

/**
 * Logs that a connection of plain Velo ended. Velo knows no limit of ours, and libzmq does not tell that it ended a
 * connection because of one, so the limit is named.
 */
export function tellLoss(
  { logger, negotiation }: { readonly logger: Logger; readonly negotiation: Terms },
  { link, peer, dialect }: Session,
  { code, reason }: LinkLoss,
): void {
  if (dialect.ours || link.kind !== "accepted" || code !== "PEER_DISCONNECTED") return;
  logger.warn("a connection of plain Velo ended", {
    peer: peer?.instanceId ?? null,
    reason:
      `${reason}: it left, or sent far more than maxPayloadBytes (${negotiation.maxPayloadBytes}) in one ` +
      "message, for which libzmq ends a connection",
  });
}
