import { ZeromeshError } from "../../core/mod.ts";
import type { SystemMessage, SystemPort, SystemSender } from "../../messenger/mod.ts";
import {
  abortAttachHandler,
  attachHandler,
  attachManyHandler,
  type AttachRequest,
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
import type { StreamHandle } from "../wire/handle.ts";
import type { AnchorTable } from "./anchor_table.ts";

/** A request about anchors. */
interface Control {
  /** What it wants, for `authorize`. */
  readonly verb: string;
  /** Whether it begins something, which a draining instance does not. */
  readonly begins?: boolean;
  /** Reads the request; null if it cannot be read. */
  read(payload: Uint8Array): Request | null;
}

interface Request {
  /** The anchor; null for several. */
  readonly handle: StreamHandle | null;
  /** Does it. Without an answer it is confirmed. */
  run(table: AnchorTable, from: SystemSender | null): Uint8Array | void;
}

/** A request whose parts are decoded first. */
function control<T>(
  verb: string,
  decode: (payload: Uint8Array) => T | null,
  handleOf: (parts: T) => StreamHandle | null,
  run: (table: AnchorTable, parts: T, from: SystemSender | null) => Uint8Array | void,
): Control {
  return {
    verb,
    begins: verb === "attach",
    read(payload) {
      const parts = decode(payload);
      if (parts === null) return null;
      return { handle: handleOf(parts), run: (table, from) => run(table, parts, from) };
    },
  };
}

const ofHandle = (handle: StreamHandle): StreamHandle => handle;
const ofParts = ({ handle }: { readonly handle: StreamHandle }): StreamHandle => handle;

const attach = (many: boolean): Control =>
  control<AttachRequest>(
    "attach",
    decodeAttach,
    ofParts,
    (table, request, from) => encodeAttachAnswer(table.attach(request, from, many)),
  );
const leave = (verb: string, reason: "detached" | "finalized"): Control =>
  control(verb, decodeHandle, ofHandle, (table, handle, from) => table.leave(handle, from, reason));
const cancel = (many: boolean): Control =>
  control("cancel", decodeHandle, ofHandle, (table, handle, from) => table.cancel(handle, from, many));

const controls: Readonly<Record<string, Control>> = {
  [attachHandler]: attach(false),
  [attachManyHandler]: attach(true),
  [abortAttachHandler]: control(
    "detach",
    decodeAbort,
    ofParts,
    (table, { handle, sender }, from) => table.abort(handle, sender, from),
  ),
  [detachHandler]: leave("detach", "detached"),
  [detachManyHandler]: control(
    "detach",
    decodeDetachMany,
    ofParts,
    (table, { handle, senderId }, from) => table.leaveMany(handle, senderId, from),
  ),
  [finalizeHandler]: leave("finalize", "finalized"),
  [cancelHandler]: cancel(false),
  [cancelManyHandler]: cancel(true),
  [renewHandler]: control("renew", decodeRenewals, () => null, (table, renewals) => table.renew(renewals)),
};

/** Registers the handlers of anchors and senders. @param table Makes the table at the first message. */
export function serveAnchors(port: SystemPort, table: () => AnchorTable): void {
  for (const [name, { verb, begins, read }] of Object.entries(controls)) {
    const answer = async (message: SystemMessage): Promise<Uint8Array> => {
      // The payload and the sender are lent for the synchronous part.
      const { handle, run } = given(read(message.lentPayload));
      const from = port.senderOf(message);
      await port.authorize(message, handle === null ? { verb } : { anchor: String(handle), verb });
      return run(table(), from) ?? confirmed;
    };
    port.handle(name, "unary", answer, { whileDraining: begins !== true });
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
