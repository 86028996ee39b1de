/** Differences between the other end of a connection that is a zeromesh instance and one of plain Velo. */
export interface Dialect {
  /** Whether it is a zeromesh instance. */
  readonly ours: boolean;
  /** Whether its messages name itself as their sender. Plain Velo may name any instance. */
  readonly namesItself: boolean;
  /** Whether an empty payload means `undefined`. Velo's JSON has only `null`. */
  readonly hasUndefined: boolean;
  /** Whether a call requires a handler of the expected kind. Velo runs both kinds. */
  readonly asksForKind: boolean;
  /** Whether it takes a goodbye. */
  readonly takesGoodbye: boolean;
}

function dialect(ours: boolean): Dialect {
  return Object.freeze({
    ours,
    namesItself: ours,
    hasUndefined: ours,
    asksForKind: ours,
    takesGoodbye: ours,
  });
}

/** The dialect of zeromesh instances. */
export const ownDialect: Dialect = dialect(true);
/** The dialect of plain Velo, and of every instance until its handshake. */
export const baseDialect: Dialect = dialect(false);
