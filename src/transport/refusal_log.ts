import { type Clock, type LogFields, type Logger, ThrottledLog } from "../core/mod.ts";
import { Errno, MonitorEvent, ProtocolError } from "../libzmq/mod.ts";

/** The monitor's events of connections that were refused, or lost before they were established. */
export const refusalEvents = MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL |
  MonitorEvent.HANDSHAKE_FAILED_PROTOCOL |
  MonitorEvent.HANDSHAKE_FAILED_AUTH | MonitorEvent.ACCEPT_FAILED;

/** Logs refused connections. Their number has no bound, since clients may retry as often as they like. */
export class RefusalLog {
  readonly #log: ThrottledLog;
  readonly #secure: boolean;

  /** @param secure Whether connections need keys. */
  constructor(logger: Logger, clock: Clock, secure: boolean) {
    this.#log = new ThrottledLog(logger, clock, "a connection was refused");
    this.#secure = secure;
  }

  /** Handles a monitor's event. */
  event(event: number, value: number): void {
    const reason = reasonOf(event, value, this.#secure);
    if (reason !== null) this.tell(reason);
  }

  /** Logs a refusal. @param kind Key of the reasons that count as the same although their texts differ. */
  tell(reason: string, facts: LogFields = {}, kind: string = reason): void {
    this.#log.warn(kind, { reason, ...facts });
  }
}

/** The listener's reason for a refusal; null for other events. */
function reasonOf(event: number, value: number, secure: boolean): string | null {
  switch (event) {
    case MonitorEvent.HANDSHAKE_FAILED_AUTH:
      return "its key is not allowed (curve.allow)";
    case MonitorEvent.HANDSHAKE_FAILED_PROTOCOL:
      if (value === ProtocolError.ZMTP_CRYPTOGRAPHIC) {
        return "it expects another server key than this instance has";
      }
      if (value !== ProtocolError.ZMTP_MECHANISM_MISMATCH) {
        return `it speaks no ZMTP (protocol error 0x${value.toString(16)})`;
      }
      return secure ? "it uses no CURVE keys" : "it uses CURVE, and this instance has no keys (curve)";
    case MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL:
      if (value === Errno.EAGAIN) return "it did not finish the ZMTP handshake in time";
      return secure
        ? "it ended the connection during the ZMTP handshake (no ZMTP, no CURVE keys, or another server key)"
        : "it ended the connection during the ZMTP handshake (no ZMTP, or it uses CURVE)";
    case MonitorEvent.ACCEPT_FAILED:
      return value === 0
        ? "it belongs to another user of this host"
        : `it could not be accepted (errno ${value}); look at the descriptor limit (ulimit -n)`;
    default:
      return null;
  }
}
