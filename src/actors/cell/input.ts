import { validate } from "../../core/mod.ts";
import type { TellEntry } from "../definition/behaviour.ts";

/** An input whose schema needs time. Its message has its place in the mailbox already, so that order holds. */
export class PendingInput {
  readonly value: Promise<unknown>;

  constructor(value: Promise<unknown>) {
    this.value = value;
    // Its sender has the failure.
    value.catch(() => {});
  }
}

/**
 * Checks an input.
 *
 * @returns The value for the handler, or a {@link PendingInput}.
 * @throws {ZeromeshError} `PAYLOAD_INVALID`.
 */
export function checkInput({ input: schema, invalid }: TellEntry, input: unknown): unknown {
  const checked = validate(schema, input, invalid);
  return checked instanceof Promise ? new PendingInput(checked) : checked;
}

/** Calls a handler with an input. One that turns out to be invalid is skipped: its sender has the failure. */
export function withInput(
  input: PendingInput,
  handler: TellEntry["handler"],
  context: unknown,
): Promise<unknown> {
  return input.value.then((value) => handler(context, value), () => skipped);
}

/** The result of a turn whose input was invalid. */
export const skipped: unique symbol = Symbol("skipped");
