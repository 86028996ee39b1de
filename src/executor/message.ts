import { checkArgument, option } from "../core/mod.ts";

/** A message for `ActiveMessageExecutor.send`. */
export interface ActiveMessage {
  /** Type, by which the handler is found. */
  readonly messageType: string;
  /** The handler's input. It must not change until the handler has finished. */
  readonly messageData: Uint8Array;
  /** Prefix of the notification; without it there is none. */
  readonly responseNotification?: string | undefined;
}

/** The second argument of a handler. */
export interface ActiveMessageContext {
  /** Type of the message. */
  readonly messageType: string;
  /** Aborts when the deadline passes or the executor is closed. */
  readonly signal: AbortSignal;
}

/** Handles messages of one type. An error that it throws or rejects with is reported in the notification. */
export type ActiveMessageHandler = (data: Uint8Array, context: ActiveMessageContext) => unknown;

/** A handler as an object. */
export interface ActiveMessageHandlerObject {
  /** Handles one message. */
  handleMessage(data: Uint8Array, context: ActiveMessageContext): unknown;
}

/** Checks a message. */
export function checkMessage(message: ActiveMessage): void {
  checkArgument("message", message, option.object, "Cannot send");
  const { messageType, messageData, responseNotification = "" } = message;
  checkArgument("messageType", messageType, option.string, "Cannot send");
  const cannot = `Cannot send "${messageType}"`;
  checkArgument("messageData", messageData, option.bytes, cannot);
  checkArgument("responseNotification", responseNotification, option.string, cannot);
}

/** The function of a handler. */
export function asFunction(
  type: string,
  handler: ActiveMessageHandler | ActiveMessageHandlerObject,
): ActiveMessageHandler {
  if (typeof handler === "function") return handler;
  if (typeof handler === "object" && handler !== null && typeof handler.handleMessage === "function") {
    return (data, context) => handler.handleMessage(data, context);
  }
  throw new TypeError(`The handler of "${type}" must be a function or an object with handleMessage`);
}
