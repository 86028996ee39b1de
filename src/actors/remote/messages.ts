/** The handlers by which messages reach the actors of another instance. */

/** A message without an answer; confirmed when it is in the actor's mailbox. */
export const tellHandler = "_actor_tell";
/** The header that has the envelope of a message whose value is larger than {@link largeValueBytes}, a unit for each byte. */
export const envelopeHeader = "_actor";
/** Larger values are sent without an envelope before them, since they would be copied behind it. */
export const largeValueBytes = 64 * 1024;

/** A message whose answer is the actor's. */
export const askHandler = "_actor_ask";
/** The opening of a channel, answered when the actor accepts it. */
export const openHandler = "_actor_open";
/** A probe for a ring of asks that wait for each other; without an answer. */
export const probeHandler = "_actor_probe";
/** A watch, whose answer is the actor's end. */
export const watchHandler = "_actor_watch";
