/** The errors of actors, whose codes and texts are the same in one process and between processes. */
import { describeIssues, errorText, type SchemaIssue, ZeromeshError } from "../core/mod.ts";
import { FeatureFailure } from "../messenger/mod.ts";

/** An actor, for a text. */
export interface Named {
  readonly id: string;
  readonly name: string | null;
}

/** An actor's name in a text. */
export function actorText({ id, name }: Named): string {
  return name === null ? `actor ${id}` : `actor "${name}"`;
}

/** The same at the start of a sentence. */
export function actorAtStart(actor: Named): string {
  return actorText(actor).replace("a", "A");
}

export function notFound(address: string): ZeromeshError {
  return new ZeromeshError("ACTOR_NOT_FOUND", `There is no actor ${address}`, {
    details: { actor: address },
  });
}

export function notChild(address: string, parent: Named): ZeromeshError {
  return new ZeromeshError(
    "ACTOR_NOT_FOUND",
    `${address} is no child of ${actorText(parent)}`,
    {
      details: { actor: address },
    },
  );
}

export function stopped(actor: Named): ZeromeshError {
  return new ZeromeshError("ACTOR_STOPPED", `${actorAtStart(actor)} stops or has stopped`, {
    details: { actor: actor.id },
  });
}

export function notPaused(actor: Named): ZeromeshError {
  return new ZeromeshError("ACTOR_NOT_PAUSED", `${actorAtStart(actor)} is not paused`, {
    details: { actor: actor.id },
  });
}

export function mailboxFull(
  actor: Named,
  mailbox: { readonly size: number; readonly waiting: number },
): ZeromeshError {
  const waiting = mailbox.waiting === 0 ? "" : `, and ${mailbox.waiting} senders wait for room`;
  return new ZeromeshError(
    "ACTOR_MAILBOX_FULL",
    `The mailbox of ${actorText(actor)} is full: it holds ${mailbox.size} messages${waiting}`,
  );
}

export function dropped(actor: Named): ZeromeshError {
  return new ZeromeshError(
    "ACTOR_MAILBOX_FULL",
    `The mailbox of ${actorText(actor)} is full and dropped the message`,
  );
}

export function senderLate(actor: Named, timeoutMs: number): ZeromeshError {
  return new ZeromeshError(
    "TIMEOUT",
    `The mailbox of ${actorText(actor)} had no room within ${timeoutMs} ms`,
  );
}

export function noSuchMessage(actor: Named, kind: string, name: string, contract: string): ZeromeshError {
  return new ZeromeshError(
    "HANDLER_NOT_FOUND",
    `${actorAtStart(actor)} has no ${kind} "${name}"; its contract is "${contract}"`,
    { handler: name, details: { actor: actor.id, kind } },
  );
}

export function inputInvalid(name: string, issues: readonly SchemaIssue[], cause?: unknown): ZeromeshError {
  return new ZeromeshError("PAYLOAD_INVALID", `Payload of "${name}" is invalid: ${describeIssues(issues)}`, {
    handler: name,
    ...(cause === undefined ? {} : { cause }),
  });
}

export function outputInvalid(name: string, issues: readonly SchemaIssue[], cause?: unknown): ZeromeshError {
  return new ZeromeshError("RESULT_INVALID", `Result of "${name}" is invalid: ${describeIssues(issues)}`, {
    handler: name,
    ran: "yes",
    ...(cause === undefined ? {} : { cause }),
  });
}

export function handlerFailed(name: string, error: unknown): ZeromeshError {
  return new ZeromeshError("HANDLER_FAILED", errorText(error), { handler: name, ran: "yes", cause: error });
}

export function askLate(name: string, timeoutMs: number, ran: "no" | "maybe"): ZeromeshError {
  return new ZeromeshError("TIMEOUT", `"${name}" was not answered within ${timeoutMs} ms`, {
    handler: name,
    ran,
  });
}

export function askCycle(name: string, ring: readonly string[]): ZeromeshError {
  return new ZeromeshError(
    "ACTOR_ASK_CYCLE",
    `Cannot ask "${name}": the actors would wait for each other: ${ring.join(" → ")}. ` +
      "A handler that calls ctx.defer() before it asks waits for nobody",
    { handler: name, details: { ring } },
  );
}

export function askChain(name: string, limit: number): ZeromeshError {
  return new ZeromeshError(
    "LIMIT_REACHED",
    `Cannot ask "${name}": ${limit} handlers wait for each other already (maxAskChain). ` +
      "A handler that calls ctx.defer() before it asks waits for nobody",
    { handler: name, ran: "no" },
  );
}

export function itemsWaiting(name: string, count: number): ZeromeshError {
  return new ZeromeshError(
    "QUEUE_FULL",
    `Cannot send to channel "${name}": ${count} items wait already, as many as may; await send()`,
    { handler: name, ran: "no" },
  );
}

export function itemInvalid(name: string, issues: readonly SchemaIssue[], cause?: unknown): ZeromeshError {
  return new ZeromeshError(
    "PAYLOAD_INVALID",
    `An item of channel "${name}" is invalid: ${describeIssues(issues)}`,
    { handler: name, ...(cause === undefined ? {} : { cause }) },
  );
}

export function channelRejected(name: string, reason: string): ZeromeshError {
  return new ZeromeshError("ACTOR_CHANNEL_REJECTED", `Channel "${name}" was refused: ${reason}`, {
    handler: name,
    details: { reason },
  });
}

export function channelClosed(name: string, why: string): ZeromeshError {
  return new ZeromeshError("ACTOR_CHANNEL_CLOSED", `Cannot send to channel "${name}": ${why}`, {
    handler: name,
    ran: "no",
  });
}

/** @param other The address or the instance of the side that was lost. */
export function channelLost(name: string, side: string, other: string): ZeromeshError {
  return new ZeromeshError(
    "PEER_DISCONNECTED",
    `Channel "${name}" has ended: its ${side} ${other} was lost`,
    {
      peer: other.slice(other.indexOf("@") + 1),
      handler: name,
      ran: "maybe",
    },
  );
}

export function openLate(name: string, timeoutMs: number): ZeromeshError {
  return new ZeromeshError("TIMEOUT", `Channel "${name}" was not accepted within ${timeoutMs} ms`, {
    handler: name,
    ran: timeoutMs <= 0 ? "no" : "maybe",
  });
}

export function updateFailed(actor: Named, why: string, cause?: unknown): ZeromeshError {
  return new ZeromeshError(
    "ACTOR_UPDATE_FAILED",
    `Cannot update ${actorText(actor)}: ${why}`,
    {
      details: { actor: actor.id },
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** What a caller of another instance is told: code, text and details, and whether the handler ran. */
export function failureFor(error: unknown): FeatureFailure {
  if (!(error instanceof ZeromeshError)) {
    return new FeatureFailure({ code: "HANDLER_FAILED", message: errorText(error), ran: "yes" });
  }
  const { code, message, ran, details } = error;
  return new FeatureFailure({ code, message, ran, data: dataOf(details) });
}

/** Throws what the caller is to be told. */
export function fail(error: unknown): never {
  throw failureFor(error);
}

const encoder = new TextEncoder();
// Of a header's value.
const maxDetailBytes = 1_024;

/** Details travel in a header, which holds little. */
function dataOf(details: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(details);
    return text !== undefined && encoder.encode(text).length <= maxDetailBytes ? details : undefined;
  } catch {
    return undefined;
  }
}
