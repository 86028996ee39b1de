/**
 * The result of a feature's handler that has read its message and answers later, with the port's `answer` or `refuse`:
 * for actors, whose answers come in turns of their own, the promises of an asynchronous handler and the copy of the
 * message cost a third of a call.
 */
export const answeredLater: unique symbol = Symbol("answeredLater");
