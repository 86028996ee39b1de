import { option, type OptionTable, readOptions, requireOption, ZeromeshError } from "../../core/mod.ts";
import { matchesGlob } from "../glob.ts";

/** What somebody wants to do with a channel. */
export type BrokerAction = "produce" | "consume" | "list" | "close";

/** A question to a broker's `authorize`. */
export interface BrokerQuestion {
  /** What the client wants to do. */
  readonly action: BrokerAction;
  /** With which channel. */
  readonly channel: string;
  /** Who asks: its CURVE key, else its instance id. */
  readonly identity: string;
  /** The CURVE key that the client has proved to own, Z85; null without keys. */
  readonly key: string | null;
}

/** Decides who may do what with a channel. Only `true` admits; an error refuses with its message. */
export type BrokerAuthorize = (
  question: BrokerQuestion,
) => boolean | ZeromeshError | Promise<boolean | ZeromeshError>;

/** Who may do something: everybody, everybody with a CURVE key, or the owners of these keys. */
export type Allowed = "any" | "keyed" | readonly string[];

/** The rule for the channels of one glob. What it does not name is refused. */
export interface ChannelRule {
  /** A glob of channel names: `?` and `*` stand for one character and for any of a part, `**` for all: `lab/*`, `**`. */
  readonly channels: string;
  /** Who may register as a producer. @default {[]: nobody} */
  readonly produce?: Allowed | undefined;
  /** Who may register as a consumer. @default {[]: nobody} */
  readonly consume?: Allowed | undefined;
  /** Who sees the channel in lists, and discovers it. @default {who may consume or produce} */
  readonly list?: Allowed | undefined;
  /** Who may close it beside its producer. @default {[]: nobody} */
  readonly close?: Allowed | undefined;
}

const allowed = option.kind(
  '"any", "keyed" or an array of keys',
  (value) => value === "any" || value === "keyed" || Array.isArray(value),
);

const ruleTable: OptionTable<ChannelRule> = {
  channels: option.text,
  produce: allowed,
  consume: allowed,
  list: allowed,
  close: allowed,
};

/**
 * Makes an `authorize` of rules. The first one whose glob fits the channel decides; a channel without a rule is refused.
 *
 * @throws {TypeError} If a rule has the wrong type.
 *
 * @example Usage
 * ```ts ignore
 * await Broker.start({ authorize: channelRules([{ channels: "lab/**", produce: [sensorKey], consume: "keyed" }]) });
 * ```
 */
export function channelRules(rules: readonly ChannelRule[]): BrokerAuthorize {
  for (const rule of rules) {
    requireOption(
      readOptions(rule, ruleTable, "Cannot use a channel rule"),
      "channels",
      ruleTable,
      "Cannot use a channel rule",
    );
  }
  return ({ action, channel, key }) => {
    const rule = rules.find(({ channels }) => matchesGlob(channels, channel));
    if (rule === undefined) return refused(action, channel, "no rule names it");
    const may = rule[action];
    const admitted = may === undefined && action === "list"
      ? admits(rule.consume, key) || admits(rule.produce, key)
      : admits(may, key);
    return admitted || refused(action, channel, `the rule for ${rule.channels} does not name its key`);
  };
}

function admits(may: Allowed = [], key: string | null): boolean {
  return may === "any" || (key !== null && (may === "keyed" || may.includes(key)));
}

function refused(action: BrokerAction, channel: string, why: string): ZeromeshError {
  return new ZeromeshError("FORBIDDEN", `the client may not ${action} channel "${channel}": ${why}`);
}
