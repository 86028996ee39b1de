import { SocketType } from "../../libzmq/mod.ts";
import { socketError } from "../errors.ts";
import type { Message, MessageLike } from "../messages.ts";
import { addReadable, type Readable } from "../readable.ts";
import { Socket, socketCore } from "../socket.ts";
import type { SocketOptions } from "../socket_options.ts";
import { addWritable, type Writable } from "../writable.ts";
import { groupName } from "./groups.ts";
import { addLabelledSend } from "./labelled_send.ts";

/** The group that a message of a {@link Radio} goes to. */
export interface RadioGroupOptions {
  /** Its name, of at most 255 bytes, over UDP 127. It ends before its first NUL. */
  group: Uint8Array | string;
}

/**
 * Sends each message, of one part, to every `Dish` that has joined its group. It never waits: what has no room is dropped.
 *
 * libzmq 4.3.5 aborts the process when a peer joins a group of more than 255 bytes: let only known keys connect.
 */
export class Radio extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Radio>) {
    super(SocketType.RADIO, options);
  }
}
/** It sends. Over UDP `send` fails with `EMSGSIZE` when message and group have more than 8 191 bytes. */
export interface Radio extends Writable<MessageLike, [RadioGroupOptions]> {}

/** The group that a message of a {@link Dish} was sent to. */
export interface DishGroupOptions {
  /** Its name. */
  group: Message;
}

/**
 * Receives the messages of `Radio` sockets to the groups that it has joined.
 *
 * Bound to UDP, libzmq 4.3.5 aborts the process for a datagram whose first byte is above 127, from whomever.
 */
export class Dish extends Socket {
  /** Opens the socket. @param options Settings, and the context. @throws {ErrnoError} `EINVAL` if libzmq has no draft sockets. */
  constructor(options?: SocketOptions<Dish>) {
    super(SocketType.DISH, options);
  }

  /**
   * Joins groups, whose names have at most 255 bytes, and end before their first NUL.
   *
   * @throws {ErrnoError} `EINVAL` for a group that it has joined already, and for a name that is too long.
   */
  join(...values: (Uint8Array | string)[]): void {
    changeGroups(this, "join", values);
  }

  /** Leaves groups. @throws {ErrnoError} `EINVAL` for a group that it has not joined. */
  leave(...values: (Uint8Array | string)[]): void {
    changeGroups(this, "leave", values);
  }
}
/** It receives. */
export interface Dish extends Readable<[Message, DishGroupOptions]> {}

function changeGroups(dish: Dish, call: "join" | "leave", groups: readonly unknown[]): void {
  const core = socketCore(dish);
  for (const group of groups) {
    const name = groupName(group);
    const result = core.backend.drafts![call](core.handle, name);
    core.touch();
    if (result >= 0) continue;
    const hint = call === "join" ? "it has joined this group already" : "it has not joined this group";
    throw socketError(-result, "Dish", `${call} a group`, { hint });
  }
}

addWritable([Radio]);
addLabelledSend(Radio, ({ group }: { readonly group?: unknown }) => groupName(group));
addReadable([Dish]);
