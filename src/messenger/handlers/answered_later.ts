/**
 * The result of a feature's handler that gives its answer later, with the port's `answer` or `refuse`: for actors, whose
 * answers come in turns of their own, the promises of an asynchronous handler cost a third of a call.
 */
export const answeredLater: unique symbol = Symbol("answeredLater");
