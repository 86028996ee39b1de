import {
  type GuardedMeter,
  LabelLimit,
  type Meter,
  type MetricInfo,
  numbersOf,
  type Observe,
} from "./core/mod.ts";
import { type AnyFeature, type MessengerCore, observeLabel, type Peer } from "./messenger/mod.ts";
import { type FullStats, statMetrics } from "./stat_metrics.ts";

const reactorMetrics = numbersOf((reactor: FullStats["transport"]["reactor"]) => reactor, "reactor_", {
  messages: ["counter", "messages", "Messages read by the thread's pump."],
  wakes: ["counter", "wakes", "Times that the pump's wait ended."],
  idleWakes: ["counter", "wakes", "Of these, the ones that found nothing to do."],
  parks: ["counter", "waits", "Waits of the pump that were started."],
  slices: ["counter", "waits", "Short waits on the thread under dense traffic."],
});

const peerUp = info("peer_up", "peers", "Peers by whether a connection to them is up: 1 or 0.", ["peer"]);
const peerQueued = info("peer_queued", "messages", "Messages in the bounded queue of a peer.", ["peer"]);
const peerQueuedBytes = info("peer_queued_bytes", "bytes", "Their bytes.", ["peer"]);

function info(name: string, unit: string, help: string, labels: readonly string[]): MetricInfo {
  return { name: `zeromesh_${name}`, unit, help, labels };
}

/** The source of a messenger's metrics. */
export interface Observed {
  /** A snapshot of the counters. */
  stats(): FullStats;
  /** Resolves when the messenger is closed. */
  readonly closed: Promise<unknown>;
}

/** Reports a messenger's counters to its meter until it is closed. */
export function observeMessenger(
  messenger: Observed,
  core: MessengerCore,
  options: { readonly meter: GuardedMeter | null; readonly maxMetricLabels: number },
  features: readonly AnyFeature[],
): void {
  const { meter, maxMetricLabels } = options;
  if (meter === null) return;
  const limits = { handlers: new LabelLimit(maxMetricLabels), peers: new LabelLimit(maxMetricLabels) };
  // One snapshot serves all metrics that are read in the same turn.
  let snapshot: FullStats | null = null;
  const stats = (): FullStats => {
    if (snapshot === null) {
      snapshot = messenger.stats();
      queueMicrotask(() => snapshot = null);
    }
    return snapshot;
  };
  const open = statMetrics(limits.handlers, features).map((metric) =>
    meter[metric.type](metric, (observe) => metric.read(stats(), observe))
  );
  open.push(
    observeReactor(meter, core),
    ...observePeers(meter, core, limits.peers),
    ...observeLabel(meter, "registered_handler", limits.handlers),
    ...observeLabel(meter, "peer", limits.peers),
    ...core.observation.open(),
  );
  void messenger.closed.then(() => open.forEach((metric) => metric[Symbol.dispose]()));
}

/** Reports each peer's connection and queue. */
function observePeers(meter: Meter, core: MessengerCore, limit: LabelLimit): Disposable[] {
  const each = (observe: Observe, value: (peer: Peer) => number): void => {
    // Unregistered peers that have left have no row, and the label values of peers that are gone become free.
    const rows = [...core.connections.peers.values()].filter((peer) => peer.known || peer.session !== null);
    limit.retain(new Set(rows.map((peer) => peer.instanceId)));
    for (const peer of rows) observe(value(peer), limit.of(peer.instanceId));
  };
  const sum = (peer: Peer, of: "queuedMessages" | "queuedBytes"): number =>
    peer.sessions().reduce((total, { link }) => total + link[of], 0);
  return [
    meter.gauge(peerUp, (observe) => each(observe, (peer) => peer.session === null ? 0 : 1)),
    meter.gauge(peerQueued, (observe) => each(observe, (peer) => sum(peer, "queuedMessages"))),
    meter.gauge(peerQueuedBytes, (observe) => each(observe, (peer) => sum(peer, "queuedBytes"))),
  ];
}

interface ReactorShare {
  users: number;
  readonly metrics: readonly Disposable[];
}

const reactorShares = new WeakMap<Meter, ReactorShare>();

/** Reports the thread's reactor, once for all messengers of the thread that share a meter. */
function observeReactor(meter: GuardedMeter, core: MessengerCore): Disposable {
  let share = reactorShares.get(meter.given);
  if (share === undefined) {
    const { transport } = core;
    const metrics = reactorMetrics.map((metric) =>
      meter.counter(metric, (observe) => metric.read(transport.stats().reactor, observe))
    );
    reactorShares.set(meter.given, share = { users: 0, metrics });
  }
  const used = share;
  used.users++;
  return {
    [Symbol.dispose]() {
      if (--used.users > 0) return;
      reactorShares.delete(meter.given);
      for (const metric of used.metrics) metric[Symbol.dispose]();
    },
  };
}
