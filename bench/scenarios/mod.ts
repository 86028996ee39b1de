/** The scenarios, in the order in which they run. */
import type { Scenario } from "../harness/scenario.ts";
import { actorFreeze } from "./actor_freeze.ts";
import { actorKilled } from "./actor_killed.ts";
import { actorLocal } from "./actor_local.ts";
import { actors } from "./actors.ts";
import { amSend } from "./am_send.ts";
import { cohortAcks } from "./cohort_acks.ts";
import { costHandlers } from "./cost_handlers.ts";
import { costInFlight } from "./cost_in_flight.ts";
import { costPeers } from "./cost_peers.ts";
import { cpu } from "./cpu.ts";
import { dispatch } from "./dispatch.ts";
import { eventCycles } from "./event_cycles.ts";
import { idle } from "./idle.ts";
import { inFlight } from "./in_flight.ts";
import { observed } from "./observed.ts";
import { payloads } from "./payloads.ts";
import { sequential } from "./sequential.ts";
import { socketsCalls, socketsOneWay } from "./sockets.ts";
import { stalledPeer } from "./stalled_peer.ts";
import { startUp } from "./start_up.ts";
import { streamFirst } from "./stream_first.ts";
import { streamHeld } from "./stream_held.ts";
import { streamMemory } from "./stream_memory.ts";
import { streamRate } from "./stream_rate.ts";
import { unbatched } from "./unbatched.ts";

/** All scenarios. */
export const scenarios: readonly Scenario[] = [
  sequential,
  inFlight,
  unbatched,
  amSend,
  payloads,
  cpu,
  startUp,
  idle,
  stalledPeer,
  costPeers,
  costHandlers,
  costInFlight,
  eventCycles,
  dispatch,
  cohortAcks,
  observed,
  actors,
  actorLocal,
  actorFreeze,
  actorKilled,
  streamFirst,
  streamRate,
  streamMemory,
  streamHeld,
  socketsOneWay,
  socketsCalls,
];
