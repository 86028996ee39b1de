import { Alarm, type Deadlines, type InstanceId } from "../../core/mod.ts";
import type { SystemMessage, SystemPort } from "../../messenger/mod.ts";
import { encodeUtf8, NameCache } from "../../wire/mod.ts";
import { withoutTurn } from "../cell/ask_ring.ts";
import type { Cell } from "../cell/cell.ts";
import type { Turn } from "../cell/parts.ts";
import { noHeaders } from "../cell/origin.ts";
import { askCycle } from "../failures.ts";
import { parseAddress } from "../references/address.ts";
import type { RemoteCounts } from "../routing/remote.ts";
import type { SystemRouter } from "../routing/router.ts";
import { decodeEnvelope, Envelope, EnvelopeWriter, maxChainLength } from "./envelope.ts";
import { probeHandler } from "./messages.ts";

/** What {@link RingProbes} need of their system. */
export interface RingProbesParts {
  readonly port: SystemPort;
  readonly router: Pick<SystemRouter, "find">;
  readonly deadlines: Deadlines;
  readonly counts: RemoteCounts;
}

/** How long a handler must have waited, with asks for its actor behind it, before it is taken for a part of a ring. */
const suspectMs = 25;
// Of one search. A ring behind more asks ends by a deadline.
const mostProbes = 64;
const mostSteps = 4_096;

const handlerName = encodeUtf8(probeHandler);
const nothing = new Uint8Array(0);

/** An actor that may be a part of a ring. */
interface Suspect {
  turn: number;
  since: number;
  readonly alarm: Alarm;
}

/** What one search has met. */
class Search {
  readonly seen = new Set<Cell>();
  readonly sent = new Set<string>();
  steps = 0;
}

/**
 * Finds asks that began at once on several instances, and whose handlers wait for each other, by the edge-chasing of
 * Chandy, Misra and Haas. An actor to which an ask has come while its handler waits sends a probe to all actors for which
 * that waits. Each of them adds the handler that holds the ask up, and sends it on to those for which this one waits. A
 * probe that comes back to where it began has gone round a ring.
 *
 * Each actor of a ring may find it. Only the one whose link is the smallest of the ring fails an ask, the one that waits
 * in its mailbox; the others let it begin a search. So one ask of the ring fails, wherever the ring is found.
 */
export class RingProbes implements Disposable {
  readonly #parts: RingProbesParts;
  readonly #names = new NameCache();
  readonly #writer: EnvelopeWriter = new EnvelopeWriter(this.#names);
  readonly #envelope = new Envelope();
  readonly #suspects = new Map<Cell, Suspect>();
  readonly #registered: Disposable;

  constructor(parts: RingProbesParts) {
    this.#parts = parts;
    this.#registered = parts.port.handle(probeHandler, "am", (message) => this.#receive(message));
  }

  [Symbol.dispose](): void {
    this.#registered[Symbol.dispose]();
    for (const { alarm } of this.#suspects.values()) this.#parts.deadlines.remove(alarm);
    this.#suspects.clear();
  }

  /** Begins a search with an actor, if its handler still runs after a short time. */
  suspect(cell: Cell): void {
    const { port: { clock }, deadlines } = this.#parts;
    const { runningTurn: turn } = cell;
    const known = this.#suspects.get(cell);
    if (known !== undefined) {
      if (known.turn !== turn) {
        known.turn = turn;
        known.since = clock.now();
      }
      return;
    }
    const suspect: Suspect = {
      turn,
      since: clock.now(),
      alarm: new Alarm(() => this.#due(cell, suspect)),
    };
    this.#suspects.set(cell, suspect);
    deadlines.add(suspect.alarm, suspectMs);
  }

  #due(cell: Cell, { turn, since, alarm }: Suspect): void {
    const { port: { clock }, deadlines } = this.#parts;
    const waits = turn >= 0 && cell.runningTurn === turn;
    const left = since + suspectMs - clock.now();
    if (waits && left > 0) return deadlines.add(alarm, left);
    this.#suspects.delete(cell);
    if (waits) this.#chase(cell, [linkOf(cell)], new Search());
  }

  /** Goes on to all actors for which a handler waits, whose link is the last one of the chain. */
  #chase(cell: Cell, chain: readonly string[], search: Search): void {
    for (const { cell: next, remote, deferred } of cell.waits ?? []) {
      if (++search.steps > mostSteps || search.sent.size >= mostProbes) return;
      if (deferred) continue;
      if (next !== null) this.#reach(next as Cell, chain, search);
      else if (remote !== undefined && !search.sent.has(remote.address)) {
        search.sent.add(remote.address);
        this.#send(remote.instance, remote.target, "probe", chain);
      }
    }
  }

  /** An actor holds up the last handler of a chain. */
  #reach(cell: Cell, chain: readonly string[], search: Search): void {
    // One that handles nothing now holds nobody up.
    if (cell.runningTurn < 0) return;
    const link = linkOf(cell);
    if (link === chain[0]) return this.#closed(cell, chain);
    if (search.seen.has(cell) || chain.length >= maxChainLength || chain.includes(link)) return;
    search.seen.add(cell);
    this.#chase(cell, [...chain, link], search);
  }

  /** The chain is a ring: it begins with this actor's handler, and its last one waits in this actor's mailbox. */
  #closed(cell: Cell, chain: readonly string[]): void {
    const smallest = chain.reduce((one, other) => other < one ? other : one);
    if (smallest !== chain[0]) return this.#letBegin(smallest);
    const turn = askOf(cell, chain.at(-1)!);
    if (turn === null) return;
    const error = askCycle(turn.name, [...chain.map(withoutTurn), cell.address]);
    if (cell.mailbox.withdraw(turn, error)) turn.dropped(cell, "dropped", error);
  }

  /** Lets the actor of a link begin a search of its own. */
  #letBegin(link: string): void {
    const { target, instance } = parseAddress(withoutTurn(link));
    if (instance !== this.#parts.port.instanceId) return this.#send(instance, target, "begin", []);
    const cell = this.#find(target);
    if (cell !== null) this.suspect(cell);
  }

  #send(to: InstanceId, target: string, name: "probe" | "begin", chain: readonly string[]): void {
    const { port, counts } = this.#parts;
    const about = { sender: null, headers: noHeaders, chain };
    const probe = this.#writer.write(target, name, "bytes", about, nothing);
    if (port.notify(handlerName, to, probe)) counts.probes++;
  }

  #receive(message: SystemMessage): void {
    const sender = this.#parts.port.senderOf(message)?.instanceId;
    const envelope = this.#envelope;
    const { lentPayload: bytes } = message;
    if (decodeEnvelope(bytes, 0, bytes.length, envelope, this.#names) !== null) return;
    const { target, name, chain } = envelope;
    const cell = this.#find(target);
    if (cell === null) return;
    if (name === "begin") return this.suspect(cell);
    const last = chain.at(-1);
    // An instance speaks for its own handlers alone: so it can make only their asks fail.
    if (last === undefined || parseAddress(withoutTurn(last)).instance !== sender) return;
    const search = new Search();
    for (const one of cell.pool?.members() ?? [cell]) {
      // An ask that has not come yet begins a search itself, and one whose answer is deferred is held up by nobody.
      const held = (one.current !== null && isAskOf(one.current, last)) || askOf(one, last) !== null;
      if (held) this.#reach(one, chain, search);
    }
  }

  #find(target: string): Cell | null {
    try {
      return this.#parts.router.find(target);
    } catch {
      return null;
    }
  }
}

/** The handler that an actor runs, in a chain. */
function linkOf({ address, runningTurn }: Cell): string {
  return `${address}#${runningTurn}`;
}

/** Whether a handler waits for a turn. */
function isAskOf({ origin: { chain } }: Turn, link: string): boolean {
  return chain.length > 0 && chain[chain.length - 1] === link;
}

/** The first turn in an actor's mailbox for which a handler waits; null without one. */
function askOf({ mailbox }: Cell, link: string): Turn | null {
  return mailbox.find((turn) => isAskOf(turn, link));
}
