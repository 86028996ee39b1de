import { checkArgument, option } from "../core/mod.ts";

/** A message for `ActiveMessageExecutor.send`. */
export interface ActiveMessage {
  /** Names the handler. */
  readonly messageType: string;
  /** What the handler gets. It must not change until the handler is done with it. */
  readonly messageData: Uint8Array;
  /** The prefix of the notification that tells how it ended; without it nobody is told. */
  readonly responseNotification?: string | undefined;
}

/** What a handler gets besides the bytes. */
export interface ActiveMessageContext {
  /** What the message was sent as. */
  readonly messageType: string;
  /** Aborts when the deadline passes or the executor is closed. */
  readonly signal: AbortSignal;
}

/** Handles messages of one type: an error it throws, or rejects with, is what the notification says. */
export type ActiveMessageHandler = (data: Uint8Array, context: ActiveMessageContext) => unknown;

/** The same as an object, with what it needs in its own fields. */
export interface ActiveMessageHandlerObject {
  /** Handles one message. */
  handleMessage(data: Uint8Array, context: ActiveMessageContext): unknown;
}

/** Refuses what is no message. */
export function checkMessage(message: ActiveMessage): void {
  checkArgument("message", message, option.object, "Cannot send");
  const { messageType, messageData, responseNotification = "" } = message;
  checkArgument("messageType", messageType, option.string, "Cannot send");
  const cannot = `Cannot send "${messageType}"`;
  checkArgument("messageData", messageData, option.bytes, cannot);
  checkArgument("responseNotification", responseNotification, option.string, cannot);
}

/** A handler as a function. */
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
