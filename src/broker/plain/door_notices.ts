import type { BrokerNotice, ClosingReason } from "../protocol/notices.ts";
import type { JsonObject } from "./frames.ts";

/** What a foreign program is told. */
export interface DoorNotice {
  readonly type: string;
  readonly body: JsonObject;
}

const closingReasons: Readonly<Record<ClosingReason, string>> = {
  deregistered: "producer_deregistered",
  timeout: "heartbeat_timeout",
  closed: "admin_requested",
};

/**
 * A notice of the broker as a message for a foreign program; null if there is none for it.
 *
 * @param older Whether the program speaks the older form of frames: it knows the older messages only, and might take others
 * for the answers to its requests, since those carry no correlation id.
 * @param pidOf The process id that a consumer has named; null if unknown.
 */
export function doorNotice(
  notice: BrokerNotice,
  older: boolean,
  pidOf: (presence: number) => number | null,
): DoorNotice | null {
  switch (notice.type) {
    case "channelClosing": {
      const { channel, reason, graceMs } = notice;
      return message("CHANNEL_CLOSING_NOTIFY", channel, {
        reason: closingReasons[reason],
        grace_ms: graceMs,
      });
    }
    case "forcedShutdown":
      return message("FORCE_SHUTDOWN", notice.channel, { reason: "grace_expired" });
    case "consumerDied": {
      const { channel, consumer } = notice;
      const { identity, name, presence } = consumer;
      return message("CONSUMER_DIED_NOTIFY", channel, {
        role_uid: identity,
        role_name: name ?? "",
        consumer_pid: pidOf(presence) ?? 0,
        reason: "heartbeat_timeout",
      });
    }
    case "channelError": {
      const { channel, event, expected, given, identity } = notice;
      return message("CHANNEL_ERROR_NOTIFY", channel, {
        event,
        existing_schema_hash: expected ?? "",
        attempted_schema_hash: given ?? "",
        attempted_uid: identity,
      });
    }
    case "fenced":
      return message("CHANNEL_ERROR_NOTIFY", notice.channel, {
        event: "stale_instance",
        epoch: notice.epoch,
      });
    case "channelEvent": {
      const { channel, event, from, data } = notice;
      return message("CHANNEL_EVENT_NOTIFY", channel, { event, sender_uid: from, data: data ?? null });
    }
    case "broadcast": {
      const { channel, from, message: text, data } = notice;
      return message("CHANNEL_BROADCAST_NOTIFY", channel, {
        event: "broadcast",
        sender_uid: from,
        message: text,
        data: data ?? null,
      });
    }
    case "consumerJoined":
    case "consumerLeft": {
      if (older) return null;
      const { channel, consumer: { identity, name } } = notice;
      const type = notice.type === "consumerJoined" ? "CONSUMER_JOINED_NOTIFY" : "CONSUMER_LEFT_NOTIFY";
      return message(type, channel, { role_uid: identity, role_name: name ?? "" });
    }
    case "producerChanged":
      return older ? null : message("PRODUCER_CHANGED_NOTIFY", notice.channel, { epoch: notice.epoch });
    case "dropped":
      return null;
  }
}

function message(type: string, channel: string, rest: JsonObject): DoorNotice {
  return { type, body: { channel_name: channel, ...rest } };
}
