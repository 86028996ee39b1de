import { errorText, Shares, ZeromeshError } from "../../core/mod.ts";
import { copyBytes, InboundMessage } from "../../transport/mod.ts";
import {
  acquireHandler,
  decodeAcquired,
  decodeHeaders,
  detachHandler,
  encodeAcquire,
  encodeLeaseEnd,
  encodePull,
  parseStagedHandle,
  pullHandler,
  releaseHandler,
  type RequestHeader,
  ResponseKind,
  type StagedHandle,
  stagedHeader,
  type StagedLease,
  veloText,
} from "../../wire/mod.ts";
import { ByteBudget } from "../handlers/byte_budget.ts";
import type { Connections } from "../peers/connections.ts";
import { isForeign } from "../peers/identity.ts";
import type { Peer, Session } from "../peers/peer.ts";
import { words } from "./words.ts";
import type { ReplySender, ReplyTarget } from "../handlers/reply_sender.ts";
import type { SharedParts } from "../shared_parts.ts";

/** Counters of {@link StagedRequests}. */
export interface StagedStats {
  /** Requests whose payload is being fetched, or waits for memory. */
  readonly fetching: number;
  /** Memory of these payloads in bytes. */
  readonly bytes: number;
  /** Requests whose payload was fetched. */
  readonly fetched: number;
  /** Requests whose payload could not be fetched, or was refused. */
  readonly failed: number;
}

/** The parts of {@link StagedRequests}. */
export interface StagedParts extends SharedParts {
  /** Peers and connections. */
  readonly connections: Connections;
  /** Sends refusals. */
  readonly replies: ReplySender;
  /** Dispatches a complete request. */
  deliver(session: Session, message: InboundMessage): void;
}

/** A request whose payload is staged at its sender. */
interface Job {
  readonly target: ReplyTarget;
  readonly header: Uint8Array;
  readonly peer: Peer;
  readonly handle: StagedHandle;
  readonly giveUpAt: number;
  /** Whether it was given back, because this instance drains. */
  givenBack: boolean;
}

/**
 * Fetches payloads that plain Velo stages: above 256 KiB a request holds only a handle, and the receiver fetches the
 * bytes in chunks before the handler runs.
 *
 * The handle's facts are untrusted: lengths are checked, memory is bounded, and only the sender itself is asked.
 */
export class StagedRequests {
  readonly #parts: StagedParts;
  readonly #jobs = new Set<Job>();
  readonly #budget: ByteBudget<Peer>;
  readonly #places: Shares<Peer>;
  #draining = false;
  #fetched = 0;
  #failed = 0;

  /** @param parts Its parts. */
  constructor(parts: StagedParts) {
    this.#parts = parts;
    this.#budget = new ByteBudget(parts.maxStagedBytes);
    this.#places = new Shares(parts.maxStagedRequests);
  }

  /** Counters. */
  stats(): StagedStats {
    return {
      fetching: this.#jobs.size,
      bytes: this.#budget.taken,
      fetched: this.#fetched,
      failed: this.#failed,
    };
  }

  /** Gives back all unfetched requests, and takes no more. */
  drain(): void {
    this.#draining = true;
    for (const job of this.#jobs) {
      job.givenBack = true;
      this.#parts.replies.giveBack(job.target, job.header);
    }
  }

  /** Takes a request with a staged payload. Returns false for others. */
  take(session: Session, message: InboundMessage, header: RequestHeader): boolean {
    if (session.dialect.ours || header.headersEnd === header.headersStart || this.#draining) return false;
    const headers = decodeHeaders(message.header, header.headersStart, header.headersEnd);
    const text = typeof headers === "object" ? headers[stagedHeader] : undefined;
    if (text === undefined) return false;
    const peer = this.#parts.connections.peers.byWorker(header.id0, header.id1);
    // A sender that may not call at all is refused like with other requests.
    if (isForeign(session, header, this.#parts.secure)) return false;
    const { id0, id1, id2, id3, kind, name } = header;
    const target: ReplyTarget = { id0, id1, id2, id3, kind, handlerName: name, session };
    const handle = parseStagedHandle(text);
    const wrong = handle === null
      ? "its handle cannot be read"
      : peer === undefined || handle.owner !== peer.workerId || peer.dialect.ours
      ? "its handle belongs to another instance than the sender"
      : !this.#places.take(peer)
      ? `${this.#jobs.size} payloads are being fetched, which is the limit, or one sender's share of it`
      : null;
    if (wrong !== null) {
      this.#refuse(target, wrong);
      return true;
    }
    const job: Job = {
      target,
      header: copyBytes(message.header.subarray(message.headerStart, message.headerEnd)),
      peer: peer!,
      handle: handle!,
      giveUpAt: this.#parts.clock.now() + this.#parts.timeoutMs,
      givenBack: false,
    };
    this.#jobs.add(job);
    this.#run(job).catch((error) => {
      this.#parts.logger.error("a fetched request failed", { error: errorText(error) });
    });
    return true;
  }

  async #run(job: Job): Promise<void> {
    const memory = { bytes: 0 };
    try {
      const payload = await this.#fetch(job, memory);
      if (job.givenBack) return;
      this.#fetched++;
      this.#deliver(job, payload);
    } catch (error) {
      if (!job.givenBack) this.#refuse(job.target, errorText(error));
    } finally {
      this.#budget.give(job.peer, memory.bytes);
      this.#places.give(job.peer);
      this.#jobs.delete(job);
    }
  }

  async #fetch(job: Job, memory: { bytes: number }): Promise<Uint8Array> {
    const { handle } = job;
    const session = await this.#sessionOf(job);
    const acquired = decodeAcquired(await this.#ask(job, session, acquireHandler, encodeAcquire(handle)));
    if ("wrong" in acquired) {
      if (acquired.leaseId !== null) this.#end(job, session, detachHandler, acquired.leaseId);
      throw new Error(acquired.wrong);
    }
    const { lease } = acquired;
    let whole = false;
    try {
      const payload = await this.#pull(job, session, lease, memory);
      whole = true;
      return payload;
    } finally {
      // A request that is given back returns under another handle, so this one is not needed any more.
      const name = whole || job.givenBack ? releaseHandler : detachHandler;
      this.#end(job, session, name, lease.leaseId);
    }
  }

  async #pull(
    job: Job,
    session: Session,
    lease: StagedLease,
    memory: { bytes: number },
  ): Promise<Uint8Array> {
    const { totalBytes, chunkBytes, chunks, transferId } = lease;
    const { maxPayloadBytes } = this.#parts;
    if (totalBytes > maxPayloadBytes) {
      throw new Error(`it has ${totalBytes} bytes, more than maxPayloadBytes (${maxPayloadBytes})`);
    }
    await this.#budget.take(job.peer, totalBytes);
    memory.bytes = totalBytes;
    const payload = new Uint8Array(totalBytes);
    for (let chunk = 0; chunk < chunks; chunk++) {
      const bytes = await this.#ask(job, session, pullHandler, encodePull(transferId, chunk));
      const expected = Math.min(chunkBytes, totalBytes - chunk * chunkBytes);
      if (bytes.length !== expected) {
        throw new Error(`piece ${chunk} has ${bytes.length} bytes instead of ${expected}`);
      }
      payload.set(bytes, chunk * chunkBytes);
    }
    return payload;
  }

  /** The connection for fetching, without a hello, which a draining peer would refuse. */
  async #sessionOf({ peer, target }: Job): Promise<Session> {
    const { connections } = this.#parts;
    if (peer.session !== null) return peer.session;
    const session = (await connections.replyLinks.to(peer.worker0, peer.worker1, target.session))?.session;
    if (session != null) return session;
    throw new Error("its sender cannot be dialled");
  }

  async #ask(job: Job, session: Session, name: string, payload: Uint8Array): Promise<Uint8Array> {
    if (job.givenBack) throw new ZeromeshError("CLOSED", "This instance is shutting down");
    const timeoutMs = job.giveUpAt - this.#parts.clock.now();
    return await this.#parts.call(name, job.peer.instanceId, { payload, timeoutMs, session });
  }

  #end(job: Job, session: Session, name: string, leaseId: bigint): void {
    const options = {
      payload: encodeLeaseEnd(job.handle, leaseId),
      timeoutMs: this.#parts.timeoutMs,
      session,
      kind: ResponseKind.fire,
    };
    this.#parts.call(name, job.peer.instanceId, options).catch((error) => {
      this.#parts.logger.debug("a lease could not be ended", { error: errorText(error) });
    });
  }

  #deliver(job: Job, payload: Uint8Array): void {
    const message = new InboundMessage();
    const { header } = job;
    message.header = header;
    message.headerView = new DataView(header.buffer, header.byteOffset, header.length);
    message.headerEnd = header.length;
    message.own(payload);
    this.#parts.deliver(job.target.session, message);
  }

  #refuse(target: ReplyTarget, why: string): void {
    this.#failed++;
    this.#parts.logger.warn("a payload could not be fetched", { handler: target.handlerName, why });
    const message = veloText.unresolved(why);
    this.#parts.replies.fail(target, { code: "REMOTE_ERROR", message, words: words.refused(message) });
  }
}
