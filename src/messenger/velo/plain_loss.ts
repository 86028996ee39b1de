import type { Logger } from "../../core/mod.ts";
import type { LinkLoss } from "../../transport/mod.ts";
import type { Session, Terms } from "../peers/peer.ts";

/**
 * Logs the end of a plain Velo connection with the payload limit: Velo does not know it, and libzmq does not report
 * that it ended a connection for it.
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
