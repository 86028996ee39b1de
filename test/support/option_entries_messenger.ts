/** The functions of a messenger and its events that take options. */
import { z } from "zod";
import {
  acknowledge,
  amHandler,
  contract,
  curveKeyPair,
  EventManager,
  Messenger,
  service,
  tokenBucket,
  typedUnaryHandler,
  unaryHandler,
} from "../../src/mod.ts";
import {
  add,
  call,
  calls,
  log,
  method,
  nothing,
  type OptionEntry,
  retry,
  talk,
  task,
  tasks,
  typedCall,
  wait,
  waits,
  watched,
} from "./option_scene.ts";

/** What a messenger, and what is made for it, takes. */
export const messengerEntries: readonly OptionEntry[] = [
  {
    name: "Messenger.create",
    options: [
      ...[
        "endpoint",
        "listen",
        "ipc",
        "resolveHost",
        "curve",
        "authorize",
        "redialForMs",
        "forgetAfterMs",
        "name",
      ],
      ...["advertise", "instanceId", "library", "logger", "meter", "tracing", "maxMetricLabels", "timeoutMs"],
      ...["retry", "connectTimeoutMs", "maxPayloadBytes", "maxPendingCalls", "maxQueuedMessages"],
      ...[
        "maxQueuedBytes",
        "overflow",
        "maxConnections",
        "maxStrangerDials",
        "maxHandlers",
        "maxHandlerWaits",
      ],
      ...["maxStagedRequests", "maxStagedBytes", "concurrency", "maxInFlightMessages", "maxInFlightBytes"],
      ...["maxPeerBytes", "slowPeerMs", "maxWaitingSends", "maxWaitingBytes", "maxCreditMessages"],
      ...["maxCreditBytes", "highWaterMark"],
      ...[
        "features",
        "clock",
        "waiter",
        "discovery",
        "services",
        "maxServices",
        "events",
        "streams",
        "signal",
      ],
    ],
    nested: {
      ...retry,
      curve: ["publicKey", "secretKey", "allow"],
      events: [
        ...["maxEvents", "maxHistory", "maxCompleted", "maxSubscriptions", "maxSubscribers"],
        ...["maxValueBytes", "maxBarriers", "ownerGraceMs", "maxGeneration"],
      ],
      streams: [
        "windowItems",
        "windowBytes",
        "maxPeerStreams",
        "maxPeerBytes",
        "maxUnclaimed",
        "maxUnclaimedBytes",
        "maxAnchors",
      ],
      features: [
        ...["batch", "errors", "same-connection", "deadline", "cancel", "msgpack", "credit", "events"],
        ...["kind", "metadata", "streams"],
      ],
    },
    durations: ["redialForMs", "forgetAfterMs", "timeoutMs", "connectTimeoutMs", "slowPeerMs"],
    call: async ({ server }, options) => {
      await using messenger = await Messenger.create(options);
      const peer = await messenger.connect(server.endpoint);
      await messenger.unary("echo", { to: peer });
    },
  },
  {
    name: "Messenger.connect",
    options: ["serverKey", ...wait],
    ...waits,
    call: ({ client, server }, options) => client.connect(server.endpoint, options),
  },
  {
    name: "Messenger.registerHandler",
    options: ["replace", "authorize"],
    call: ({ third }, options) => {
      third.registerHandler(amHandler("x", () => {}), options)[Symbol.dispose]();
    },
  },
  {
    name: "HandlerObject.options",
    options: [...task, "authorize"],
    nested: tasks.nested,
    call: ({ third }, options) => {
      third.registerHandler({ name: "x", options, handle() {} })[Symbol.dispose]();
    },
  },
  {
    name: "Messenger.handle",
    options: [...tasks.options, "replace"],
    nested: tasks.nested,
    call: ({ third }, options) => third.handle(log, () => {}, options)[Symbol.dispose](),
  },
  {
    name: "Messenger.serve",
    options: [...tasks.options, "replace"],
    nested: tasks.nested,
    call: ({ third }, options) => third.serve({ log }, { log() {} }, options)[Symbol.dispose](),
  },
  { name: "Messenger.amSend", options: call, ...calls, call: (s, o) => s.client.amSend("note", o) },
  { name: "Messenger.amSync", options: call, ...calls, call: (s, o) => s.client.amSync("note", o) },
  { name: "Messenger.unary", options: call, ...calls, call: (s, o) => s.client.unary("echo", o) },
  { name: "Messenger.typedUnary", options: typedCall, ...calls, call: (s, o) => s.client.typedUnary(add, o) },
  {
    name: "Messenger.amSync by contract",
    options: typedCall,
    ...calls,
    call: (s, o) => s.client.amSync(log, o),
  },
  {
    name: "Messenger.client",
    options: ["to", ...method],
    ...calls,
    call: ({ client }, options) => client.client({ add }, options).add(undefined),
  },
  {
    name: "a method of Messenger.client",
    options: method,
    ...waits,
    nested: retry,
    call: ({ client, peer }, options) => client.client({ add }, { to: peer }).add(undefined, options),
  },
  {
    name: "send of Messenger.client",
    options: method,
    ...waits,
    nested: retry,
    call: ({ client, peer }, options) => client.client({ log }, { to: peer }).log.send(1, options),
  },
  {
    name: "a method of Messenger.client with a stream",
    options: [...method, "idleTimeoutMs"],
    timeouts: ["timeoutMs", "idleTimeoutMs"],
    nested: retry,
    call: ({ client, peer }, options) =>
      Array.fromAsync(client.client({ talk }, { to: peer }).talk([1], options)),
  },
  {
    name: "StreamInput#send",
    options: wait,
    ...waits,
    call: async ({ client, peer }, options) => {
      await using call = client.client({ talk }, { to: peer }).talk();
      await call.send(1, options);
    },
  },
  {
    name: "Messenger.broadcast",
    options: call,
    ...waits,
    nested: retry,
    call: async ({ client }, options) => {
      const { failed } = await client.broadcast("note", options);
      for (const { error } of failed) throw error;
    },
  },
  { name: "Messenger.flush", options: wait, ...waits, call: (s, o) => s.client.flush(s.peer, o) },
  {
    name: "Messenger.status",
    options: ["maxBuffered", "signal"],
    call: ({ client }, options) => watched(client.status(options)),
  },
  {
    name: "Messenger.close",
    options: ["timeoutMs"],
    ...waits,
    call: async (_scene, options) => {
      await using messenger = await Messenger.create();
      await messenger.close(options);
    },
  },
  { name: "Messenger.describe", options: wait, ...waits, call: (s, o) => s.client.describe(s.peer, o) },
  {
    name: "PeerQuestions.healthCheck",
    options: wait,
    ...waits,
    call: (s, o) => s.client.healthCheck(s.peer, o),
  },
  {
    name: "PeerQuestions.availableHandlers",
    options: wait,
    ...waits,
    call: (s, o) => s.client.availableHandlers(s.peer, o),
  },
  {
    name: "PeerQuestions.listHandlers",
    options: [...wait, "schemas"],
    ...waits,
    call: (s, o) => s.client.listHandlers(s.peer, o),
  },
  {
    name: "PeerQuestions.waitForHandler",
    options: wait,
    ...waits,
    call: (s, o) => s.client.waitForHandler(s.peer, "echo", o),
  },
  {
    name: "PeerQuestions.announceTo",
    options: [...wait, "endpoint"],
    ...waits,
    call: (s, o) => s.client.announceTo(s.peer, o),
  },
  {
    name: "PeerQuestions.registerAck",
    options: [...wait, "id", "from"],
    ...waits,
    call: ({ client }, options) => client.registerAck(options)[Symbol.dispose](),
  },
  {
    name: "PeerQuestions.sendWithAck",
    options: typedCall,
    ...calls,
    needs: ({ peer }) => ({ to: peer, payload: {} }),
    call: ({ client }, options) => client.sendWithAck("answers", options),
  },
  {
    name: "PeerQuestions.sendAck",
    options: ["error", "timeoutMs"],
    ...waits,
    call: (s, o) => s.client.sendAck(s.peer, "an id", o),
  },
  {
    name: "acknowledge",
    options: ["error", "timeoutMs"],
    ...waits,
    call: ({ client, peer }, options) => {
      const context = { json: () => ({ _ack_id: "an id" }), senderInstanceId: peer, messenger: client };
      return acknowledge(context as never, options);
    },
  },
  { name: "amHandler", ...tasks, call: (_scene, options) => void amHandler("x", () => {}, options) },
  {
    name: "unaryHandler",
    ...tasks,
    call: (_scene, options) => void unaryHandler("x", () => nothing, options),
  },
  {
    name: "typedUnaryHandler",
    ...tasks,
    call: (_scene, options) => void typedUnaryHandler(add, ({ input }) => input, options),
  },
  { name: "service", options: ["balance"], call: (_scene, options) => void service("echo", options) },
  { name: "curveKeyPair", options: ["library"], call: (_scene, options) => curveKeyPair(options) },
  {
    name: "contract",
    options: ["input", "output", "errors", "encoding"],
    needs: () => ({ input: z.number() }),
    call: (_scene, options) => void contract("x", options),
  },
  {
    name: "tokenBucket",
    options: ["perSecond", "burst"],
    needs: () => ({ perSecond: 1 }),
    call: (_scene, options) => void tokenBucket(options),
  },
];

/** The functions of events that take options. */
export const eventEntries: readonly OptionEntry[] = [
  {
    name: "EventManager.local",
    options: messengerEntries[0]!.nested!["events"]!,
    durations: ["ownerGraceMs"],
    call: (_scene, options) => EventManager.local(options).forceShutdown("over"),
  },
  {
    name: "EventManager.awaiter",
    options: wait,
    ...waits,
    call: async ({ client, server }, options) => {
      using event = server.events.newEvent();
      const waiting = client.events.awaiter(event.handle, options);
      waiting.catch(() => {});
      await server.flush();
      event.trigger();
      await waiting;
    },
  },
  {
    name: "EventManager.poll",
    options: wait,
    ...waits,
    call: async ({ client, server }, options) => {
      using event = server.events.newEvent();
      await client.events.poll(event.handle, options);
    },
  },
  {
    name: "EventManager.trigger",
    options: wait,
    ...waits,
    call: async ({ client, server }, options) => {
      using event = server.events.newEvent();
      await client.events.trigger(event.handle, 1, options);
    },
  },
  {
    name: "EventManager.poison",
    options: wait,
    ...waits,
    call: async ({ client, server }, options) => {
      using event = server.events.newEvent();
      await client.events.poison(event.handle, "over", options);
    },
  },
  {
    name: "EventManager.barrier",
    options: ["at"],
    call: ({ client }, options) => client.events.barrier("here", 1, options).arrive(),
  },
  {
    name: "Barrier#arrive",
    options: wait,
    ...waits,
    call: ({ client, peer }, options) => client.events.barrier("there", 1, { at: peer }).arrive(options),
  },
];
