/**
 * The result of a feature's handler that answers later, with the port's `answer` or `refuse`: for actors and streams,
 * whose answers come in turns of their own, the promises of an asynchronous handler cost a third of a call. Its message
 * is valid until it returns, unless it has called `detach`.
 */
export const answeredLater: unique symbol = Symbol("answeredLater");
