/**
 * An executor of messages from any source: it runs handlers, a limited number at a time, and reports how each ended in
 * a stream of notifications. It needs no network; a bridge serves it from a messenger.
 *
 * Names of Dynamo's document and of this module:
 *
 * | Dynamo | this module |
 * |---|---|
 * | `init_active_message_manager(4)` | `new ActiveMessageExecutor({ concurrency: 4 })` |
 * | `register_handlers(map)`, `create_handler!(object)` | `registerHandlers({ type: handler })`: functions, or objects with `handleMessage` |
 * | `get_message_sender()`, `sender.send(message)` | `executor.send(message)` |
 * | `IncomingActiveMessage { message_type, message_data, response_notification }` | `ActiveMessage { messageType, messageData, responseNotification }` |
 * | `get_response_receiver()`, `recv().await` | `for await (const response of executor.responses)` |
 * | `ResponseNotification { notification, is_success }` | `ResponseNotification { notification, isSuccess }` |
 * | `{prefix}:ok`, `{prefix}:err({message})` | the same; {@link parseNotification} parses them |
 * | the communication layer | {@link serveExecutor} and {@link sendToExecutor} |
 * | stopping the receiver | `await executor.close()`; `stop()` is an alias |
 *
 * @example Two at a time
 * ```ts
 * import { ActiveMessageExecutor } from "zeromesh/executor";
 *
 * await using executor = new ActiveMessageExecutor({ concurrency: 2 });
 * executor.registerHandlers({ resize: async (data) => {} });
 * const messageData = new Uint8Array(3);
 * await executor.send({ messageType: "resize", messageData, responseNotification: "request_1" });
 * await executor.close({ drain: true });
 * for await (const { notification } of executor.responses) console.log(notification); // request_1:ok
 * ```
 *
 * @module
 */
export {
  executorHandlerName,
  type Registers,
  sendToExecutor,
  type SendToExecutorOptions,
  serveExecutor,
  type ServeExecutorOptions,
} from "./bridge.ts";
export type { Ending, Overflow } from "../core/mod.ts";
export { ActiveMessageExecutor } from "./executor.ts";
export {
  type ActiveMessage,
  type ActiveMessageContext,
  type ActiveMessageHandler,
  type ActiveMessageHandlerObject,
} from "./message.ts";
export { type ParsedNotification, parseNotification, type ResponseNotification } from "./notification.ts";
export {
  type ExecutorCloseOptions,
  type ExecutorOptions,
  type ExecutorStats,
  type SendOptions,
} from "./options.ts";
