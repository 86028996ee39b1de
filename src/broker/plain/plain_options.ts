import { isCurveKey } from "../../libzmq/mod.ts";
import { option, type OptionKind, type OptionTable } from "../../core/mod.ts";

/** A CURVE key pair, each key 40 characters of Z85. */
export interface PlainKeys {
  /** The public key. */
  publicKey: string;
  /** The secret key. */
  secretKey: string;
}

/** How the sockets of a channel of plain data are opened by its producer. */
export interface PlainOptions {
  /** Where the producer listens: `tcp://HOST:PORT` (port 0: a free one) or `ipc://PATH`. @default {"tcp://127.0.0.1:0"} */
  endpoint?: string | undefined;
  /** Host, or whole endpoint, that consumers get instead. @default {the address of an interface, for a wildcard} */
  advertise?: string | undefined;
  /**
   * The producer's CURVE keys. Only consumers that are registered at the broker may connect then, if the broker knows its
   * clients by their keys; else every key may. @default {none: the data is not encrypted}
   */
  keys?: PlainKeys | undefined;
}

/** The kind of an option that is a pair of CURVE keys. */
export const plainKeys: OptionKind = option.kind(
  "a pair of CURVE keys",
  (value) =>
    typeof value === "object" && value !== null && isCurveKey((value as PlainKeys).publicKey) &&
    isCurveKey((value as PlainKeys).secretKey),
  { secret: true },
);

/** The options of {@link PlainOptions}. */
export const plainOptionTable = {
  endpoint: option.text.or("tcp://127.0.0.1:0"),
  advertise: option.text,
  keys: plainKeys,
} satisfies OptionTable<PlainOptions>;

/** The kind of an option that is {@link PlainOptions}, or whether there are any. */
export const plainOption: OptionKind = option.kind(
  `true, false or an object with ${Object.keys(plainOptionTable).join(", ")}`,
  (value) => typeof value === "boolean" || (typeof value === "object" && !Array.isArray(value)),
  { table: plainOptionTable as never },
);
