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

/** Name of the handler that serves an executor, unless another is given. */
export const executorHandlerName = "active_message";

const typeHeader = "message-type";
const prefixHeader = "response-notification";
const nothing = new Uint8Array(0);

/** Options of {@link serveExecutor}. */
export interface ServeExecutorOptions {
  /** The handler's name. @default {"active_message"} */
  name?: string | undefined;
}

/** Options of {@link sendToExecutor}: the peer, and whatever else a call takes. */
export interface SendToExecutorOptions extends ClientCallOptions {
  /** The peer. */
  to: InstanceId;
  /** The name of the handler that serves the executor. @default {"active_message"} */
  name?: string | undefined;
}

const serveOptionTable: OptionTable<ServeExecutorOptions> = { name: option.text };
const sendOptionTable: OptionTable<SendToExecutorOptions> = { ...clientOptionTable, name: option.text };

/** What takes handlers: a `Messenger`. */
export interface Registers {
  /** Registers a handler. */
  registerHandler(handler: Handler): Disposable;
}

/**
 * Serves an executor to other instances: a handler that hands on to it what {@link sendToExecutor} sends. Whoever
 * gave a prefix gets the notification as the answer; other messages are answered when they have a place.
 *
 * @param messenger Where to register.
 * @param executor What runs the messages.
 * @param options The handler's name.
 * @returns Disposing of it unregisters the handler.
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
 * @param caller Who calls: a `Messenger`.
 * @param message The message. Type and prefix travel as headers: 1 024 bytes each at most.
 * @param options The peer, and whatever else a call takes.
 * @returns The notification; null when the message has no prefix, and then it was only accepted.
 * @throws {ZeromeshError} As `unary` does; `CLOSED` and `QUEUE_FULL` of the executor arrive as `HANDLER_FAILED`.
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
    throw new ZeromeshError("RESULT_INVALID", `"${name}" on ${who} answered with no notification`, {
      peer: call.to,
      handler: name,
      ran: "yes",
    });
  }
  return { notification, isSuccess: parsed.isSuccess };
}
