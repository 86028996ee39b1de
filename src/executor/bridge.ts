import { type InstanceId, option, type OptionTable, readOptions, ZeromeshError } from "../core/mod.ts";
import {
  type Caller,
  type ClientCallOptions,
  clientOptionTable,
  type Handler,
  type HandlerContext,
  portOf,
  unaryHandler,
} from "../messenger/mod.ts";
import type { ActiveMessageExecutor } from "./executor.ts";
import type { ActiveMessage } from "./message.ts";
import { parseNotification, type ResponseNotification } from "./notification.ts";

/** Default name of the handler that serves an executor. */
export const executorHandlerName = "active_message";

const typeHeader = "message-type";
const prefixHeader = "response-notification";
const nothing = new Uint8Array(0);

/** Options of {@link serveExecutor}. */
export interface ServeExecutorOptions {
  /** The handler's name. @default {"active_message"} */
  name?: string | undefined;
}

/** Options of {@link sendToExecutor}: the peer, and the options of a call. */
export interface SendToExecutorOptions extends ClientCallOptions {
  /** The peer. */
  to: InstanceId;
  /** The handler's name. @default {"active_message"} */
  name?: string | undefined;
}

const serveOptionTable: OptionTable<ServeExecutorOptions> = { name: option.text };
const sendOptionTable: OptionTable<SendToExecutorOptions> = {
  ...clientOptionTable,
  to: option.value,
  name: option.text,
};

/** A registry of handlers: a `Messenger`. */
export interface Registers {
  /** Registers a handler. */
  registerHandler(handler: Handler): Disposable;
}

/**
 * Serves an executor to other instances: registers a handler for the messages of {@link sendToExecutor}. A message with
 * a prefix is answered with its notification, another one when it has a place in the queue.
 *
 * @param messenger The messenger that registers the handler.
 * @param executor The executor of the messages.
 * @param options The handler's name.
 * @returns Disposing it unregisters the handler.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { ActiveMessageExecutor, sendToExecutor, serveExecutor } from "zeromesh/executor";
 * import assert from "node:assert/strict";
 *
 * await using server = await Messenger.create();
 * await using executor = new ActiveMessageExecutor();
 * executor.registerHandlers({ resize: () => {} });
 * serveExecutor(server, executor);
 *
 * await using client = await Messenger.create();
 * const to = await client.connect(server.endpoint);
 * const messageData = new Uint8Array(3);
 * const message = { messageType: "resize", messageData, responseNotification: "request_1" };
 * assert.equal((await sendToExecutor(client, message, { to }))?.notification, "request_1:ok");
 * ```
 */
export function serveExecutor(
  messenger: Registers,
  executor: ActiveMessageExecutor,
  options?: ServeExecutorOptions,
): Disposable {
  const { name = executorHandlerName } = readOptions(options, serveOptionTable, "Cannot serve an executor");
  const serve = async (context: HandlerContext): Promise<Uint8Array> => {
    const { headers, payload, signal } = context;
    const sender = context.senderInstanceId ?? String(context.senderWorkerId);
    const messageType = headers[typeHeader];
    if (messageType === undefined) throw new TypeError(`The header ${typeHeader} is missing`);
    const message = { messageType, messageData: payload, responseNotification: headers[prefixHeader] };
    if (message.responseNotification === undefined) {
      await executor.send(message, { signal, sender });
      return nothing;
    }
    const notification = await executor.execute(message, { signal, sender });
    return new TextEncoder().encode(notification?.notification ?? "");
  };
  return messenger.registerHandler(unaryHandler(name, serve));
}

/**
 * Sends a message to the executor that another instance serves.
 *
 * @param caller The caller: a `Messenger`.
 * @param message The message. Type and prefix travel as headers of at most 1 024 bytes each.
 * @param options The peer, and the options of a call.
 * @returns The notification; null for a message without prefix, which was only accepted.
 * @throws {ZeromeshError} As `unary`; `CLOSED` and `QUEUE_FULL` of the executor arrive as `HANDLER_FAILED`.
 */
export async function sendToExecutor(
  caller: Pick<Caller, "unary">,
  message: ActiveMessage,
  options: SendToExecutorOptions,
): Promise<ResponseNotification | null> {
  const read = readOptions(options, sendOptionTable, "Cannot send to an executor");
  const { name = executorHandlerName, ...call } = read;
  const { messageType, messageData, responseNotification: prefix } = message;
  const headers: Record<string, string> = { ...call.headers, [typeHeader]: messageType };
  if (prefix !== undefined) headers[prefixHeader] = prefix;
  const answer = await caller.unary(name, { ...call, headers, rawPayload: messageData });
  if (prefix === undefined) return null;
  const notification = new TextDecoder().decode(answer);
  const parsed = parseNotification(notification, prefix);
  if (parsed === null) {
    const who = portOf(caller)?.textOf(call.to) ?? call.to;
    throw new ZeromeshError("RESULT_INVALID", `"${name}" on ${who} did not answer with a notification`, {
      peer: call.to,
      handler: name,
      ran: "yes",
    });
  }
  return { notification, isSuccess: parsed.isSuccess };
}
