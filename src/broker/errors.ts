import { z } from "zod";
import { ZeromeshError } from "../core/mod.ts";

const channel = z.object({ channel: z.string() });

/**
 * The errors of the broker's contracts, with their details. Their codes are the broker's and not the library's, so that
 * contracts of users may declare them, too.
 */
export const brokerErrors = {
  /** The channel has another schema. */
  SCHEMA_MISMATCH: z.object({
    channel: z.string(),
    expected: z.string().nullable(),
    given: z.string().nullable(),
  }),
  /** The broker stores no such schema. */
  SCHEMA_UNKNOWN: z.object({ channel: z.string().nullable(), hash: z.string().nullable() }),
  /** The channel has another pattern. */
  PATTERN_MISMATCH: z.object({ channel: z.string(), expected: z.string(), given: z.string() }),
  /** The data of the channel travels another way: over streams of messengers, or over plain sockets. */
  TRANSPORT_MISMATCH: z.object({ channel: z.string(), expected: z.string(), given: z.string() }),
  /** No channel has that name. */
  CHANNEL_NOT_FOUND: channel,
  /** The channel's producer has registered, but has not shown yet that it works. */
  CHANNEL_NOT_READY: channel,
  /** The channel belongs to another producer that lives. */
  CHANNEL_OWNED: z.object({ channel: z.string(), owner: z.string() }),
  /** The channel is closing. */
  CHANNEL_CLOSED: channel,
  /** The caller has no such registration. */
  NOT_REGISTERED: channel,
  /** The caller's registration was taken over by a later one of the same identity. */
  STALE_INSTANCE: z.object({ channel: z.string(), epoch: z.number() }),
  /** Client and broker have no version of the protocol in common. */
  VERSION_UNSUPPORTED: z.object({ lowest: z.number(), highest: z.number() }),
  /** The broker does not know the client, which has to introduce itself again. */
  CLIENT_UNKNOWN: null,
} as const satisfies Readonly<Record<BrokerErrorCode, z.ZodType | null>>;

/** The codes of the broker's own errors. */
export type BrokerErrorCode =
  | "SCHEMA_MISMATCH"
  | "SCHEMA_UNKNOWN"
  | "PATTERN_MISMATCH"
  | "TRANSPORT_MISMATCH"
  | "CHANNEL_NOT_FOUND"
  | "CHANNEL_NOT_READY"
  | "CHANNEL_OWNED"
  | "CHANNEL_CLOSED"
  | "NOT_REGISTERED"
  | "STALE_INSTANCE"
  | "VERSION_UNSUPPORTED"
  | "CLIENT_UNKNOWN";

/** The codes of the broker's own errors, by themselves: `error.code === BrokerErrorCode.SCHEMA_MISMATCH`. */
export const BrokerErrorCode: { readonly [Code in BrokerErrorCode]: Code } = Object.freeze(
  Object.fromEntries(Object.keys(brokerErrors).map((code) => [code, code])),
) as { readonly [Code in BrokerErrorCode]: Code };

type DetailsOf<Code extends BrokerErrorCode> = typeof brokerErrors[Code] extends z.ZodType
  ? z.infer<typeof brokerErrors[Code]>
  : undefined;

/** Makes an error of the broker. */
export function brokerError<Code extends BrokerErrorCode>(
  code: Code,
  message: string,
  details: DetailsOf<Code>,
): ZeromeshError {
  return new ZeromeshError(code, message, { ran: "yes", details });
}
