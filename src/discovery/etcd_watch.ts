import { Backoff, errorText, type InstanceId, isInstanceId, type Reporting, supervise } from "../core/mod.ts";
import type { EtcdGateway } from "./etcd_gateway.ts";
import { entriesOf, entryOf, revisionOf, underPrefix } from "./etcd_keys.ts";
import type { ServiceWatch } from "./service_watch.ts";

/** Options of {@link followPrefix}. */
export interface EtcdWatchOptions extends Reporting {
  readonly gateway: EtcdGateway;
  /** Keys under it end with an instance's id. */
  readonly prefix: string;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Follows the instances under a prefix until the signal aborts.
 *
 * Each time the watch is opened, all keys are read first and compared with the known ones, and the watch continues from
 * the revision of that reading. So no change is missed or repeated after a reconnect, a compaction, or a server that
 * came back with older data.
 */
export async function followPrefix(options: EtcdWatchOptions, watch: ServiceWatch): Promise<void> {
  const { gateway, prefix, clock, logger, signal } = options;
  await supervise(async (healthy) => {
    const range = underPrefix(prefix);
    const answer = await gateway.call("/v3/kv/range", { ...range, keys_only: true }, signal);
    watch.replace(entriesOf(answer).map(({ key }) => idUnder(prefix, key)).filter((id) => id !== null));
    const start_revision = String(revisionOf(answer) + 1n);
    const messages = await gateway.stream(
      "/v3/watch",
      { create_request: { ...range, start_revision, progress_notify: true } },
      signal,
    );
    for await (const message of messages) {
      healthy();
      // The server ended the watch, for instance after a compaction: read again.
      if (message["canceled"] === true) break;
      apply(message["events"], prefix, watch);
    }
  }, {
    clock,
    backoff: new Backoff({ firstMs: 20, maxMs: 1_000 }),
    signal,
    failed: (error) => {
      watch.trouble(error);
      logger.warn("the watch in etcd broke; opening it again", { prefix, reason: errorText(error) });
    },
  });
}

function apply(events: unknown, prefix: string, watch: ServiceWatch): void {
  if (!Array.isArray(events)) return;
  for (const event of events as { type?: string; kv?: Record<string, unknown> }[]) {
    const id = idUnder(prefix, entryOf(event.kv).key);
    if (id === null) continue;
    if (event.type === "DELETE") watch.remove(id);
    else watch.add(id);
  }
}

function idUnder(prefix: string, key: string): InstanceId | null {
  const id = key.slice(prefix.length);
  return key.startsWith(prefix) && isInstanceId(id) ? id : null;
}
