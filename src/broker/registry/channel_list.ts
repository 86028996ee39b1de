import { globPrefix, matchesGlob } from "../glob.ts";
import type { ChannelView } from "../protocol/contracts.ts";
import type { ChannelEntry } from "./channel_entry.ts";
import type { ChannelNames } from "./channel_names.ts";

/** Which channels to list. */
export interface ListRequest {
  /** A glob, such as `lab/*`: see {@link matchesGlob}. @default {all} */
  readonly match?: string | undefined;
  /** Only names after this one. */
  readonly after?: string | undefined;
  /** The most channels. @default {1_000} */
  readonly limit?: number | undefined;
  /** Whether the caller may see a channel. @default {all} */
  readonly visible?: ((name: string) => boolean) | undefined;
}

/** Channels in the order of their names. */
export interface ChannelList {
  /** The channels. */
  readonly channels: ChannelView[];
  /** Whether there are others after the last one. */
  readonly more: boolean;
}

/** Lists channels. It visits those whose names begin like the glob. */
export function listChannels(
  names: ChannelNames,
  entries: ReadonlyMap<string, ChannelEntry>,
  { match = "**", after = "", limit = 1_000, visible = () => true }: ListRequest,
): ChannelList {
  const channels: ChannelView[] = [];
  const prefix = globPrefix(match);
  for (const name of names.from(after > prefix ? after : prefix, (one) => entries.has(one))) {
    if (!name.startsWith(prefix)) break;
    const entry = entries.get(name);
    if (entry === undefined || name <= after || !matchesGlob(match, name) || !visible(name)) continue;
    if (channels.length === limit) return { channels, more: true };
    channels.push(entry.view());
  }
  return { channels, more: false };
}
