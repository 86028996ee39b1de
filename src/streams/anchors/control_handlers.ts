import { ZeromeshError } from "../../core/mod.ts";
import type { SystemMessage, SystemPort, SystemSender } from "../../messenger/mod.ts";
import {
  abortAttachHandler,
  attachHandler,
  attachManyHandler,
  cancelHandler,
  cancelManyHandler,
  cancelStreamHandler,
  confirmed,
  decodeAbort,
  decodeAttach,
  decodeDetachMany,
  decodeHandle,
  decodeRenewals,
  decodeSenderMessage,
  detachHandler,
  detachManyHandler,
  encodeAttachAnswer,
  finalizeHandler,
  renewHandler,
  stopStreamHandler,
} from "../wire/control.ts";
import type { AnchorTable } from "./anchor_table.ts";

type Run = (table: AnchorTable, payload: Uint8Array, from: SystemSender | null) => Uint8Array;

const attach = (many: boolean): Run => (table, payload, from) =>
  encodeAttachAnswer(table.attach(given(decodeAttach(payload)), from, many));

const confirm = <T>(
  decode: (payload: Uint8Array) => T | null,
  run: (
    table: AnchorTable,
    request: T,
    from: SystemSender | null,
  ) => void,
): Run =>
(table, payload, from) => {
  run(table, given(decode(payload)), from);
  return confirmed;
};

/** Handlers that answer. Those that attach take no new work while the instance drains. */
const unary: Readonly<Record<string, Run>> = {
  [attachHandler]: attach(false),
  [attachManyHandler]: attach(true),
  [abortAttachHandler]: confirm(
    decodeAbort,
    (table, { handle, sender }, from) => table.abort(handle, sender, from),
  ),
  [detachHandler]: confirm(decodeHandle, (table, handle, from) => table.leave(handle, from, "detached")),
  [finalizeHandler]: confirm(decodeHandle, (table, handle, from) => table.leave(handle, from, "finalized")),
  [cancelHandler]: confirm(decodeHandle, (table, handle, from) => table.cancel(handle, from, false)),
  [cancelManyHandler]: confirm(decodeHandle, (table, handle, from) => table.cancel(handle, from, true)),
  [detachManyHandler]: confirm(
    decodeDetachMany,
    (table, { handle, senderId }, from) => table.leaveMany(handle, senderId, from),
  ),
  [renewHandler]: confirm(decodeRenewals, (table, renewals) => table.renew(renewals)),
};

/** Registers the handlers of anchors and senders. @param table Makes the table at the first message. */
export function serveAnchors(port: SystemPort, table: () => AnchorTable): void {
  for (const [name, run] of Object.entries(unary)) {
    const attaches = name === attachHandler || name === attachManyHandler;
    port.handle(
      name,
      "unary",
      (message) => run(table(), message.lentPayload, port.senderOf(message)),
      { whileDraining: !attaches },
    );
  }
  const told = (name: string, tell: (message: SystemMessage, stream: bigint) => void): void => {
    port.handle(name, "am", (message) => tell(message, given(decodeSenderMessage(message.lentPayload))), {
      whileDraining: true,
    });
  };
  told(cancelStreamHandler, (message, stream) => {
    table().senderFor(stream, port.senderOf(message))?.cancelledByReader();
  });
  told(stopStreamHandler, (message, stream) => {
    table().senderFor(stream, port.senderOf(message))?.stop();
  });
}

function given<T>(decoded: T | null): T {
  if (decoded !== null) return decoded;
  throw new ZeromeshError("PAYLOAD_INVALID", "Failed to deserialize input: a field is missing or invalid");
}
