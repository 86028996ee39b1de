import { MonitorEvent, ProtocolError } from "../libzmq/mod.ts";
import { type ErrnoError, errnoError } from "./errors.ts";

/** Why a ZAP handler refused a connection: the status of its answer. */
export interface AuthError extends Error {
  /** 300 for a temporary failure, 400 for a refusal, 500 for an internal error. */
  status: 300 | 400 | 500;
}

/** What a peer or a ZAP handler did against its protocol. */
export interface ProtoError extends Error {
  /** Name of the violation. */
  code: `ERR_${Exclude<keyof typeof ProtocolError, `WS_${string}`>}`;
}

/** An event with an address. */
export interface EventAddress {
  /** The endpoint, such as `tcp://127.0.0.1:5555`. */
  address: string;
}

/** An event with the time until the next attempt. */
export interface EventInterval {
  /** In milliseconds. */
  interval: number;
}

/** An event with an error. */
export interface EventError<E = ErrnoError> {
  /** What failed. */
  error: E;
}

/** The event of a type, with its details. */
export type EventFor<T extends string, D = Record<never, never>> = Expand<{ type: T } & D>;

/** A type with its members written out. */
export type Expand<T> = T extends infer O ? { [K in keyof O]: O[K] } : never;

/**
 * Something that happened to a socket or to one of its connections.
 *
 * - `accept`, `accept:error`: a peer connected to a bound address, or failed to.
 * - `bind`, `bind:error`: `bind` succeeded or failed.
 * - `connect`: a connection was made. `connect:delay`: it could not be made at once, and libzmq goes on.
 * - `connect:retry`: it is tried again after `interval` milliseconds.
 * - `close`, `close:error`: a connection or a listening socket was closed, or could not be.
 * - `disconnect`: a connection ended.
 * - `handshake`: a connection is ready for messages. `handshake:error:protocol`: one side broke the protocol.
 *   `handshake:error:auth`: a ZAP handler refused it. `handshake:error:other`: it failed for another reason.
 * - `end`: there are no further events, since the socket or the observer was closed.
 * - `unknown`: a newer libzmq reported something without a name here.
 */
export type Event =
  | EventFor<"accept", EventAddress>
  | EventFor<"accept:error", EventAddress & EventError>
  | EventFor<"bind", EventAddress>
  | EventFor<"bind:error", EventAddress & EventError>
  | EventFor<"connect", EventAddress>
  | EventFor<"connect:delay", EventAddress>
  | EventFor<"connect:retry", EventAddress & EventInterval>
  | EventFor<"close", EventAddress>
  | EventFor<"close:error", EventAddress & EventError>
  | EventFor<"disconnect", EventAddress>
  | EventFor<"end">
  | EventFor<"handshake", EventAddress>
  | EventFor<"handshake:error:protocol", EventAddress & EventError<ProtoError>>
  | EventFor<"handshake:error:auth", EventAddress & EventError<AuthError>>
  | EventFor<"handshake:error:other", EventAddress & EventError>
  | EventFor<"unknown">;

/** The type of an {@link Event}. */
export type EventType = Event["type"];

/** The {@link Event} of one type. */
export type EventOfType<E extends EventType = EventType> = Expand<Extract<Event, { type: E }>>;

const types: ReadonlyMap<number, EventType> = new Map<number, EventType>([
  [MonitorEvent.CONNECTED, "connect"],
  [MonitorEvent.CONNECT_DELAYED, "connect:delay"],
  [MonitorEvent.CONNECT_RETRIED, "connect:retry"],
  [MonitorEvent.LISTENING, "bind"],
  [MonitorEvent.BIND_FAILED, "bind:error"],
  [MonitorEvent.ACCEPTED, "accept"],
  [MonitorEvent.ACCEPT_FAILED, "accept:error"],
  [MonitorEvent.CLOSED, "close"],
  [MonitorEvent.CLOSE_FAILED, "close:error"],
  [MonitorEvent.DISCONNECTED, "disconnect"],
  [MonitorEvent.MONITOR_STOPPED, "end"],
  [MonitorEvent.HANDSHAKE_FAILED_NO_DETAIL, "handshake:error:other"],
  [MonitorEvent.HANDSHAKE_SUCCEEDED, "handshake"],
  [MonitorEvent.HANDSHAKE_FAILED_PROTOCOL, "handshake:error:protocol"],
  [MonitorEvent.HANDSHAKE_FAILED_AUTH, "handshake:error:auth"],
]);

const protocolErrors: ReadonlyMap<number, string> = new Map(
  Object.entries(ProtocolError).map(([name, number]) => [number, name]),
);

const authTexts: ReadonlyMap<number, string> = new Map([
  [300, "Temporary error"],
  [400, "Authentication failure"],
  [500, "Internal error"],
]);

/** The event that libzmq reports with a number, a value and an endpoint, which may be empty. */
export function eventOf(number: number, value: number, address: string): Event {
  const type = types.get(number) ?? "unknown";
  const event: Record<string, unknown> = { type };
  if (address !== "") event["address"] = address;
  if (type === "connect:retry") event["interval"] = value;
  else if (type === "handshake:error:protocol") event["error"] = protocolError(value);
  else if (type === "handshake:error:auth") event["error"] = authError(value);
  else if (type.includes(":error")) event["error"] = errnoError(value);
  return event as Event;
}

function protocolError(value: number): ProtoError {
  const name = protocolErrors.get(value);
  const text = name === undefined ? "Unknown error" : `${name.slice(0, name.indexOf("_"))} protocol error`;
  return Object.assign(new Error(text), { code: `ERR_${name ?? "UNKNOWN"}` }) as ProtoError;
}

function authError(status: number): AuthError {
  return Object.assign(new Error(authTexts.get(status) ?? "Unknown error"), { status }) as AuthError;
}
