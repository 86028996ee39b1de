/** Everything public that takes options, with the options it takes, and a call of it that does its work. */
import { tmpdir } from "node:os";
import { leaseBackend, leaseBackendNow, openBackend } from "../../ffi/mod.ts";
import { CohortMembership, joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { discoveryChecks } from "../../src/discovery/conformance.ts";
import { FileDiscovery, LocalDiscovery, StaticDiscovery } from "../../src/discovery/mod.ts";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { ActiveMessageExecutor, sendToExecutor, serveExecutor } from "../../src/executor/mod.ts";
import { Messenger } from "../../src/mod.ts";
import { otelMeter, otelTracing } from "../../src/otel/mod.ts";
import { PrometheusMeter, prometheusMeter } from "../../src/prometheus/mod.ts";
import { actorEntries } from "./option_entries_actors.ts";
import { brokerEntries } from "./option_entries_broker.ts";
import { eventEntries, messengerEntries } from "./option_entries_messenger.ts";
import { streamEntries } from "./option_entries_streams.ts";
import {
  add,
  broadcast,
  calls,
  collective,
  message,
  method,
  nothing,
  type OptionEntry,
  retry,
  wait,
  waits,
  watch,
  watched,
} from "./option_scene.ts";

// No process listens at this address.
const unused = "127.0.0.1:9";

/** A lookup that may find no server, or be allowed no folder: only what is said about its options counts. */
async function lookedUp(lookup: Promise<unknown>): Promise<void> {
  try {
    await lookup;
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw error;
  }
}

const discoveryEntries: readonly OptionEntry[] = [
  {
    name: "new StaticDiscovery",
    options: ["peers", "services"],
    call: (_scene, options) => void new StaticDiscovery(options),
  },
  {
    name: "new LocalDiscovery",
    options: ["mesh", "directory", "sweepMs", "clock"],
    call: (_scene, options) => void new LocalDiscovery(options),
  },
  {
    name: "new FileDiscovery",
    options: ["path", "servicesPath", "pollMs", "lockTimeoutMs", "logger", "clock"],
    needs: () => ({ path: "peers.json" }),
    durations: ["lockTimeoutMs"],
    call: (_scene, options) => void new FileDiscovery(options),
  },
  {
    name: "new EtcdDiscovery",
    options: ["endpoints", "cluster", "auth", "tls", "ttlMs", "timeoutMs", "logger", "clock"],
    nested: { auth: ["username", "password"], tls: ["ca", "cert", "key", "serverName"] },
    durations: ["timeoutMs"],
    call: (_scene, options) => void new EtcdDiscovery(options),
  },
  {
    name: "new NatsDiscovery",
    options: ["servers", "cluster", "auth", "tls", "ttlMs", "timeoutMs", "logger", "clock"],
    nested: { auth: ["username", "password", "token"], tls: ["ca", "cert", "key"] },
    durations: ["timeoutMs"],
    call: (_scene, options) => void new NatsDiscovery(options),
  },
  {
    name: "discoveryChecks",
    options: ["create", "createElsewhere", "finds", "settleMs"],
    nested: { finds: ["peers", "services"] },
    needs: () => ({ create: () => new StaticDiscovery(), finds: { peers: true, services: true } }),
    durations: ["settleMs"],
    call: (_scene, options) => void discoveryChecks(options),
  },
  ...Object.entries({
    StaticDiscovery: () => new StaticDiscovery(),
    LocalDiscovery: () => new LocalDiscovery({ directory: `${tmpdir()}/zeromesh-options` }),
    FileDiscovery: () => new FileDiscovery({ path: `${tmpdir()}/zeromesh-options.json` }),
    EtcdDiscovery: () => new EtcdDiscovery({ endpoints: [`http://${unused}`] }),
    NatsDiscovery: () => new NatsDiscovery({ servers: [`nats://${unused}`] }),
  }).flatMap(([name, make]): OptionEntry[] => [
    {
      name: `${name}.watch`,
      options: watch,
      call: (_scene, options) => watched(make().watch("echo", options)),
    },
    {
      name: `${name}.discoverByInstanceId`,
      options: ["signal"],
      call: ({ peer }, options) => lookedUp(make().discoverByInstanceId(peer, options)),
    },
    {
      name: `${name}.discoverByWorkerId`,
      options: ["signal"],
      call: ({ server }, options) => lookedUp(make().discoverByWorkerId(server.workerId, options)),
    },
  ]),
];

const cohortEntries: readonly OptionEntry[] = [
  {
    name: "LeaderWorkerCohort.create",
    options: [
      ...["name", "size", "maxWorkers", "ranks", "workers", "failurePolicy", "heartbeatMs", "lostAfterMs"],
      ...["timeoutMs", "logger", "meter", "signal"],
    ],
    nested: { failurePolicy: ["replaceWithinMs"] },
    durations: ["timeoutMs"],
    call: async ({ third }, options) => void await LeaderWorkerCohort.create(third, options).close(),
  },
  ...Object.entries({ joinCohort, "CohortMembership.join": CohortMembership.join }).map((
    [name, join],
  ): OptionEntry => ({
    name,
    options: [
      ...["leader", "serverKey", "name", "rank", "timeoutMs", "signal", "rejoinForMs", "onEnding"],
      "logger",
    ],
    needs: ({ third }) => ({ leader: third.endpoint }),
    timeouts: ["timeoutMs"],
    durations: ["rejoinForMs"],
    call: async ({ third }, options) => {
      await using _cohort = LeaderWorkerCohort.create(third, { size: 1 });
      await using worker = await Messenger.create();
      await (await join(worker, options)).close();
    },
  })),
  { name: "CohortMembership.barrier", options: wait, ...waits, call: (s, o) => s.membership.barrier("x", o) },
  {
    name: "CohortMembership.allGather",
    options: wait,
    ...waits,
    call: ({ membership }, options) => membership.allGather("y", 1, options),
  },
  {
    name: "LeaderWorkerCohort.status",
    options: ["maxBuffered", "signal"],
    call: ({ cohort }, options) => watched(cohort.status(options)),
  },
  {
    name: "LeaderWorkerCohort.whenComplete",
    options: wait,
    ...waits,
    call: (s, o) => s.cohort.whenComplete(o),
  },
  {
    name: "LeaderWorkerCohort.addWorker",
    options: ["rank"],
    call: async ({ third, peer }, options) => {
      const cohort = LeaderWorkerCohort.create(third);
      try {
        cohort.addWorker(peer, options);
      } finally {
        cohort.removeWorker(peer);
        await cohort.close();
      }
    },
  },
  {
    name: "LeaderWorkerCohort.close",
    options: ["reason", "timeoutMs"],
    ...waits,
    call: async ({ third }, options) => {
      await using cohort = LeaderWorkerCohort.create(third);
      await cohort.close(options);
    },
  },
  {
    name: "CohortCalls.awaitHandlerOnAllWorkers",
    options: collective,
    ...waits,
    call: ({ cohort }, options) => cohort.awaitHandlerOnAllWorkers("echo", options),
  },
  {
    name: "CohortCalls.send",
    options: broadcast,
    ...waits,
    call: async ({ cohort }, options) => (await cohort.send("note", options)).values(),
  },
  {
    name: "CohortCalls.sync",
    options: [...broadcast, "ack"],
    ...waits,
    call: async ({ cohort }, options) => (await cohort.sync("note", options)).values(),
  },
  {
    name: "CohortCalls.call",
    options: broadcast,
    ...waits,
    call: async ({ cohort }, options) => (await cohort.call("echo", options)).values(),
  },
  {
    name: "CohortCalls.map",
    options: collective,
    ...waits,
    call: async ({ cohort }, options) => (await cohort.map("echo", () => nothing, options)).values(),
  },
  {
    name: "CohortCalls.distribute",
    options: [...wait, "concurrency", "retry", "itemTimeoutMs", "headers"],
    nested: retry,
    timeouts: ["timeoutMs", "itemTimeoutMs"],
    call: ({ cohort }, options) => cohort.distribute(add, [{ a: 1 }, { a: 2 }], options),
  },
];

const executorEntries: readonly OptionEntry[] = [
  {
    name: "new ActiveMessageExecutor",
    options: [
      ...[
        "concurrency",
        "maxQueued",
        "overflow",
        "maxUnreadResponses",
        "handlerTimeoutMs",
        "logger",
        "meter",
      ],
      ...["clock", "signal"],
    ],
    durations: ["handlerTimeoutMs"],
    call: async (_scene, options) => {
      await using executor = new ActiveMessageExecutor(options);
      executor.registerHandlers({ work: () => new Promise((resolve) => setTimeout(resolve, 5)) });
      await executor.execute(message);
    },
  },
  {
    name: "ActiveMessageExecutor.send",
    options: ["signal", "sender"],
    call: (s, o) => s.executor.send(message, o),
  },
  {
    name: "ActiveMessageExecutor.execute",
    options: ["signal", "sender"],
    call: (s, o) => s.executor.execute(message, o),
  },
  {
    name: "ActiveMessageExecutor.close",
    options: ["timeoutMs", "drain"],
    ...waits,
    call: async (_scene, options) => {
      await using executor = new ActiveMessageExecutor();
      await executor.close(options);
    },
  },
  {
    name: "ActiveMessageExecutor.stop",
    options: ["timeoutMs", "drain"],
    ...waits,
    call: async (_scene, options) => {
      await using executor = new ActiveMessageExecutor();
      await executor.stop(options);
    },
  },
  {
    name: "serveExecutor",
    options: ["name"],
    call: ({ third, executor }, options) => serveExecutor(third, executor, options)[Symbol.dispose](),
  },
  {
    name: "sendToExecutor",
    options: ["to", "name", ...method],
    ...calls,
    call: ({ client }, options) => sendToExecutor(client, message, options),
  },
];

const otherEntries: readonly OptionEntry[] = [
  ...Object.entries({
    prometheusMeter,
    "new PrometheusMeter": (options: never) => new PrometheusMeter(options),
  }).map(([name, make]): OptionEntry => ({
    name,
    options: ["registry", "labels"],
    call: (_scene, options) => void make(options),
  })),
  {
    name: "PrometheusMeter.serve",
    options: ["hostname", "port", "path"],
    needs: () => ({ port: 0 }),
    call: async (_scene, options) => await (await prometheusMeter().serve(options)).close(),
  },
  { name: "otelMeter", options: ["meterProvider"], call: (_scene, options) => void otelMeter(options) },
  {
    name: "otelTracing",
    options: ["tracerProvider", "propagator"],
    call: (_scene, options) => void otelTracing(options),
  },
  {
    name: "openBackend",
    options: ["library", "search"],
    call: async (_scene, options) => void await openBackend(options),
  },
  {
    name: "leaseBackend",
    options: ["library", "search"],
    call: async (_scene, options) => (await leaseBackend(options))[Symbol.dispose](),
  },
  {
    name: "leaseBackendNow",
    options: ["library", "search"],
    call: (_scene, options) => leaseBackendNow(options)[Symbol.dispose](),
  },
  {
    name: "Backend#waiter",
    options: ["onWake", "onFailure", "kind"],
    needs: () => ({ onWake: () => {}, onFailure: () => {} }),
    call: async (_scene, options) => {
      const backend = await openBackend();
      (await backend.waiter(options)).close();
    },
  },
];

/** Every one of them. */
export const optionEntries: readonly OptionEntry[] = [
  ...messengerEntries,
  ...eventEntries,
  ...streamEntries,
  ...discoveryEntries,
  ...cohortEntries,
  ...executorEntries,
  ...actorEntries,
  ...brokerEntries,
  ...otherEntries,
];
