import {
  type AnySchema,
  type Clock,
  type Contract,
  describeIssues,
  type ErrorCode,
  issuePath,
  type SchemaIssue,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../../core/mod.ts";
import { DispatchFailure } from "../../messenger/mod.ts";
import type { TurnShare } from "../turn_share.ts";
import type { ItemCodec } from "./item_codec.ts";

/** The sender of a stream's items: the caller of a contract, or its handler. */
export type Side = "caller" | "handler";

/** One direction of a contract's streams: what all of its calls share. */
export interface Direction {
  /** The contract. */
  readonly contract: Contract;
  /** The side that sends the items. */
  readonly from: Side;
  /** Schema of an item. */
  readonly schema: AnySchema;
  /** Frames of items. */
  readonly codec: ItemCodec;
  /** Clock. */
  readonly clock: Clock;
  /** The turns of its items. */
  readonly turns: TurnShare;
}

/** A call, as its streams know it. */
export interface ItemOwner {
  /** Makes an error about one direction, of the side that finds it. */
  failure(from: Side, code: ErrorCode, message: string, about?: ZeromeshErrorOptions): ZeromeshError;
  /** An arrived item was invalid: nothing more is read. */
  broken(error: unknown): void;
  /** The reader of the items left early. */
  left(): void;
  /** An item was sent or taken. Null if nobody wants to know. */
  readonly moved: (() => void) | null;
}

/**
 * The error of an item that fails its schema, or cannot be read. At most five issues are told.
 *
 * @param number The item's.
 */
export function invalidItem(
  owner: ItemOwner,
  direction: Direction,
  number: number,
  issues: readonly SchemaIssue[],
  cause?: unknown,
): ZeromeshError {
  const code = direction.from === "caller" ? "PAYLOAD_INVALID" : "RESULT_INVALID";
  const why = `${itemText(direction, number)} is invalid: ${describeIssues(issues)}`;
  return owner.failure(direction.from, code, why, {
    ...(cause === undefined ? {} : { cause }),
    details: {
      item: number,
      issues: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
    },
  });
}

/** Names the item in an error of its frame; other errors stay as they are. */
export function locatedError(
  owner: ItemOwner,
  direction: Direction,
  number: number,
  error: unknown,
): unknown {
  if (!(error instanceof ZeromeshError)) return error;
  const { code, details, message } = error;
  if (code !== "ENCODING_FAILED" && code !== "PAYLOAD_TOO_LARGE") return error;
  return owner.failure(direction.from, code, `${itemText(direction, number)} cannot be sent: ${message}`, {
    cause: error,
    details: { ...details as object | undefined, item: number },
  });
}

function itemText({ contract: { name }, from }: Direction, number: number): string {
  return `Item ${number} of the ${from === "caller" ? "input" : "output"} of "${name}"`;
}

/** Makes an error that a handler's side answers with. */
export function answerError(
  code: ErrorCode,
  message: string,
  { details, ran = "yes" }: ZeromeshErrorOptions = {},
): DispatchFailure {
  return new DispatchFailure({ code, message, data: details, ran });
}
