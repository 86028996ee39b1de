import type { InstanceId } from "../../core/mod.ts";
import { validate } from "../../core/mod.ts";
import { refuseRing } from "../cell/ask_ring.ts";
import type { Cell } from "../cell/cell.ts";
import { PendingInput } from "../cell/input.ts";
import type { Origin, Sender } from "../cell/parts.ts";
import { bytesContract, channelSchemas } from "../contract/contract.ts";
import { channelRejected, inputInvalid, noSuchMessage } from "../failures.ts";
import { type OpenerWay, Opening } from "./opening.ts";

/** A channel that is to be opened. */
export interface OpenRequest {
  readonly name: string;
  /** The first item, not validated yet. */
  readonly first: unknown;
  readonly origin: Origin;
  /** The handler that waits; null for others. */
  readonly asker: Sender | null;
  /** Aborts when the opener gives up while it waits for room. */
  readonly signal: AbortSignal | undefined;
  readonly way: OpenerWay;
}

/**
 * Puts the opening of a channel into its target's mailbox, and waits for nobody.
 *
 * @throws {ZeromeshError} `HANDLER_NOT_FOUND`, `PAYLOAD_INVALID`, `LIMIT_REACHED`, `ACTOR_ASK_CYCLE`, `ACTOR_STOPPED`,
 * `ACTOR_MAILBOX_FULL`, and `ACTOR_CHANNEL_REJECTED` for a channel of an actor to itself.
 */
export function deliverOpen(cell: Cell, request: OpenRequest): Opening {
  const { name, first, origin, asker, signal, way } = request;
  const { behaviour, host } = cell;
  const schemas = channelSchemas(behaviour.contract, name);
  if (schemas === null || behaviour.channel(name) === undefined) {
    throw noSuchMessage(cell, "channel", name, behaviour.contract.name);
  }
  const checked = validate(schemas.fromOpener, first, (issues, cause) => inputInvalid(name, issues, cause));
  const input = checked instanceof Promise ? new PendingInput(checked) : checked;
  if (cell.pool !== null) cell = cell.pool.pick("open", name, input instanceof PendingInput ? first : input);
  if (origin.sender === cell.address) throw channelRejected(name, "an actor cannot open a channel to itself");
  const waiting = asker?.waiting === true ? asker.cell : null;
  refuseRing(cell, name, origin, waiting);
  const opener = origin.sender === null ? origin.instance : host.refTo(bytesContract, origin.sender, null);
  const opening = new Opening({
    cell,
    id: crypto.randomUUID(),
    name,
    schemas,
    origin,
    first: input,
    opener: opener as InstanceId,
    way,
    asker: waiting,
  });
  try {
    cell.deliver(opening.turn, { timeoutMs: Infinity, signal })?.catch((error) => opening.refuse(error));
  } catch (error) {
    opening.refuse(error);
  }
  if (cell.waits !== null && origin.chain.length > 0 && cell.current !== opening.turn) host.suspectRing(cell);
  return opening;
}
