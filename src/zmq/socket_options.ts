import type { Context } from "./context.ts";

/** Names of the properties of a type that may be set. */
export type WritableKeys<T> = {
  [K in keyof T]-?: T[K] extends (...given: never[]) => unknown ? never
    : (<U>() => U extends { [Q in K]: T[K] } ? 1 : 2) extends
      (<U>() => U extends { -readonly [Q in K]: T[K] } ? 1 : 2) ? K
    : never;
}[keyof T];

/** What the constructor of a socket takes: its settings, and the context that it belongs to. */
export type SocketOptions<S> =
  & { [K in WritableKeys<S>]?: S[K] }
  & {
    /** The context; not given, it is the one called `context`. */
    context?: Context;
  };
