/**
 * The required behaviour of a discovery back end, as tests for any test runner.
 *
 * @example Usage
 * ```ts ignore
 * import { discoveryChecks } from "zeromesh/discovery/conformance";
 *
 * for (const check of discoveryChecks({ create: () => new MyDiscovery(), finds: { peers: true, services: true } })) {
 *   test(check.name, check.run);
 * }
 * ```
 *
 * @module
 */
import {
  hold,
  holdProcess,
  type InstanceId,
  newInstanceId,
  option,
  type OptionTable,
  pause,
  readOptions,
  requireOption,
  systemClock,
  withDefaults,
  workerIdOf,
} from "../core/mod.ts";
import { type PeerInfo, peerInfoOf } from "../messenger/mod.ts";
import {
  type Discovery,
  findsPeers,
  findsServices,
  type PeerDiscovery,
  type ServiceDiscovery,
  type ServiceEvent,
} from "./discovery.ts";

/** A test of one property that a back end must have. */
export interface DiscoveryCheck {
  /** The property. */
  readonly name: string;
  /** Rejects with a description when the back end does not have it. */
  run(): Promise<void>;
}

/** Options of {@link discoveryChecks}. */
export interface DiscoveryChecksOptions {
  /**
   * Makes an object of the back end. All objects of one check share their entries, as those of several processes would;
   * objects of different checks may share them, too.
   */
  create(): Discovery | Promise<Discovery>;
  /** Makes an object that is separate from those of `create`, if the back end can be divided. */
  createElsewhere?: (() => Discovery | Promise<Discovery>) | undefined;
  /** Whether the back end finds peers, services, or both. */
  finds: { readonly peers: boolean; readonly services: boolean };
  /** How long a change may take to become visible, in milliseconds. @default {5_000} */
  settleMs?: number | undefined;
}

const findsTable: OptionTable<DiscoveryChecksOptions["finds"]> = {
  peers: option.flag,
  services: option.flag,
};

const optionTable = {
  create: option.function,
  createElsewhere: option.function,
  finds: option.options(findsTable),
  settleMs: option.duration.or(5_000),
} satisfies OptionTable<DiscoveryChecksOptions>;

/** The required behaviour of a back end, as tests for any test runner. */
export function discoveryChecks(given: DiscoveryChecksOptions): DiscoveryCheck[] {
  const options = readOptions(given, optionTable, "Cannot make the checks of a back end");
  requireOption(options, "create", optionTable, "Cannot make the checks of a back end");
  const { peers = false, services = false } = options.finds ?? {};
  const { settleMs } = withDefaults(options, optionTable);
  const checks: DiscoveryCheck[] = [];
  const add = (name: string, run: (scene: Scene) => Promise<void>): void => {
    checks.push({
      name,
      async run() {
        using _hold = holdProcess();
        const scene = new Scene(options, settleMs);
        try {
          await run(scene);
        } finally {
          await scene.end();
        }
      },
    });
  };
  if (peers) addPeerChecks(add, options.createElsewhere !== undefined);
  if (services) addServiceChecks(add, options.createElsewhere !== undefined);
  return checks;
}

type Add = (name: string, run: (scene: Scene) => Promise<void>) => void;

function addPeerChecks(add: Add, divided: boolean): void {
  add("an instance that is registered is found by its id and by its worker id", async (scene) => {
    const [one, other] = [await scene.peers(), await scene.peers()];
    const info = newPeer();
    await scene.registerPeer(one, info);
    await scene.sees("its id", async () => same(await other.discoverByInstanceId(info.instanceId), info));
    await scene.sees("its worker id", async () => {
      return same(await other.discoverByWorkerId(workerIdOf(info.instanceId)), info);
    });
  });
  add("an unregistered instance is not found, and that is no error", async (scene) => {
    const peers = await scene.peers();
    const { instanceId } = newPeer();
    expect(await peers.discoverByInstanceId(instanceId) === null, "found by its id");
    expect(await peers.discoverByWorkerId(workerIdOf(instanceId)) === null, "found by its worker id");
  });
  add("an instance that unregistered is found no more, and others still are", async (scene) => {
    const [one, other] = [await scene.peers(), await scene.peers()];
    const [gone, left] = [newPeer(), newPeer()];
    const registration = await one.registerPeer!(gone);
    await scene.registerPeer(one, left);
    await registration.unregister();
    await registration.unregister();
    await scene.sees("the end of it", async () => await other.discoverByInstanceId(gone.instanceId) === null);
    expect(same(await other.discoverByInstanceId(left.instanceId), left), "the other one was lost");
  });
  add("an entry is seen by an object made later", async (scene) => {
    const info = newPeer();
    await scene.registerPeer(await scene.peers(), info);
    const later = await scene.peers();
    await scene.sees("its id", async () => same(await later.discoverByInstanceId(info.instanceId), info));
  });
  add("an id registered twice has the second address, until the second is taken back", async (scene) => {
    const [one, other] = [await scene.peers(), await scene.peers()];
    const first = newPeer();
    const second = peerInfoOf(first.instanceId, ["tcp://127.0.0.1:9"]);
    const before = await one.registerPeer!(first);
    const after = await one.registerPeer!(second);
    const finds = (info: PeerInfo) => async () =>
      same(await other.discoverByInstanceId(first.instanceId), info);
    await scene.sees("the second address", finds(second));
    await before.unregister();
    await scene.sees("the second address without the first", finds(second));
    await after.unregister();
    await scene.sees(
      "the end of it",
      async () => await other.discoverByInstanceId(first.instanceId) === null,
    );
  });
  add("many instances registered at once are all found", async (scene) => {
    const [one, other] = [await scene.peers(), await scene.peers()];
    const infos = Array.from({ length: 20 }, newPeer);
    await Promise.all(infos.map((info, index) => scene.registerPeer(index % 2 === 0 ? one : other, info)));
    for (const info of infos) {
      await scene.sees(
        info.instanceId,
        async () => same(await one.discoverByInstanceId(info.instanceId), info),
      );
    }
  });
  if (!divided) return;
  add("instances registered elsewhere are not found", async (scene) => {
    const [here, there] = [await scene.peers(), await scene.elsewhere() as PeerDiscovery];
    const info = newPeer();
    await scene.registerPeer(here, info);
    expect(await there.discoverByInstanceId(info.instanceId) === null, "found elsewhere");
  });
}

function addServiceChecks(add: Add, divided: boolean): void {
  add("a service lists the instances that offer it", async (scene) => {
    const [one, other] = [await scene.services(), await scene.services()];
    const name = someName();
    const ids = [newInstanceId(), newInstanceId()];
    for (const id of ids) await scene.registerService(one, name, id);
    await scene.sees("both", async () => sameIds(await other.getInstances(name), ids));
    await scene.sees("its name", async () => (await other.listServices()).includes(name));
  });
  add("a service without instances has none and is not listed", async (scene) => {
    const services = await scene.services();
    const name = someName();
    expect(sameIds(await services.getInstances(name), []), "it has instances");
    expect(!(await services.listServices()).includes(name), "it is listed");
  });
  add("an instance that unregistered offers its service no more", async (scene) => {
    const [one, other] = [await scene.services(), await scene.services()];
    const name = someName();
    const [gone, left] = [newInstanceId(), newInstanceId()];
    const registration = await one.registerService(name, gone);
    await scene.registerService(one, name, left);
    await registration.unregister();
    await scene.sees("the end of it", async () => sameIds(await other.getInstances(name), [left]));
  });
  add("an offer is seen by an object made later", async (scene) => {
    const name = someName();
    const id = newInstanceId();
    await scene.registerService(await scene.services(), name, id);
    const later = await scene.services();
    await scene.sees("it", async () => sameIds(await later.getInstances(name), [id]));
  });
  add("a watch first reports the present instances, also when there are none", async (scene) => {
    const services = await scene.services();
    const [empty, name] = [someName(), someName()];
    const id = newInstanceId();
    await scene.registerService(services, name, id);
    expect(
      sameIds(initial(await scene.watch(services, empty).next()), []),
      "an instance was listed before any had registered",
    );
    expect(
      sameIds(initial(await scene.watch(services, name).next()), [id]),
      "it did not report the present instances",
    );
  });
  add("a watch reports each instance that comes and goes once", async (scene) => {
    const [one, other] = [await scene.services(), await scene.services()];
    const name = someName();
    const watch = scene.watch(other, name);
    initial(await watch.next());
    const id = newInstanceId();
    const registration = await one.registerService(name, id);
    expect(tells(await watch.next(), "added", id), "it did not report the new instance");
    await registration.unregister();
    expect(tells(await watch.next(), "removed", id), "it did not report the removed instance");
  });
  add("folding a watch gives the final state, without an event twice", async (scene) => {
    const [one, other] = [await scene.services(), await scene.services()];
    const name = someName();
    const watch = scene.watch(other, name);
    const seen = new Set(initial(await watch.next()));
    const kept: InstanceId[] = [];
    for (let round = 0; round < 10; round++) {
      const [stays, goes] = [newInstanceId(), newInstanceId()];
      await scene.registerService(one, name, stays);
      kept.push(stays);
      await (await one.registerService(name, goes)).unregister();
    }
    while (!sameIds([...seen], kept)) {
      const { value: event } = await watch.next() as IteratorYieldResult<ServiceEvent>;
      expect(event.type !== "initial", "a second initial");
      if (event.type === "added") expect(!seen.has(event.instance), `${event.instance} was added twice`);
      if (event.type === "added") seen.add(event.instance);
      if (event.type === "removed") expect(seen.delete(event.instance), `${event.instance} was never there`);
    }
  });
  add("a watch ends with its signal", async (scene) => {
    const services = await scene.services();
    const stop = new AbortController();
    const watch = scene.within(services.watch(someName(), { signal: stop.signal }));
    initial(await watch.next());
    const next = watch.next();
    stop.abort();
    expect((await next).done === true, "it did not end");
  });
  if (!divided) return;
  add("services registered elsewhere are not seen", async (scene) => {
    const [here, there] = [await scene.services(), await scene.elsewhere() as ServiceDiscovery];
    const name = someName();
    await scene.registerService(here, name, newInstanceId());
    expect(sameIds(await there.getInstances(name), []), "seen elsewhere");
  });
}

/** The objects of one check, released at its end. */
class Scene {
  readonly #options: DiscoveryChecksOptions;
  readonly #settleMs: number;
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(options: DiscoveryChecksOptions, settleMs: number) {
    this.#options = options;
    this.#settleMs = settleMs;
  }

  async peers(): Promise<PeerDiscovery> {
    const made = await this.#made(this.#options.create);
    if (findsPeers(made)) return made;
    throw new Error("it finds no peers: discoverByInstanceId is missing");
  }

  async services(): Promise<ServiceDiscovery> {
    const made = await this.#made(this.#options.create);
    if (findsServices(made)) return made;
    throw new Error("it finds no services: getInstances is missing");
  }

  elsewhere(): Promise<Discovery> {
    return this.#made(this.#options.createElsewhere!);
  }

  async registerPeer(peers: PeerDiscovery, info: PeerInfo): Promise<void> {
    const registration = await peers.registerPeer!(info);
    this.#ends.push(() => registration.unregister());
  }

  async registerService(services: ServiceDiscovery, name: string, id: InstanceId): Promise<void> {
    const registration = await services.registerService(name, id);
    this.#ends.push(() => registration.unregister());
  }

  watch(services: ServiceDiscovery, name: string): AsyncIterator<ServiceEvent> {
    return this.within(services.watch(name));
  }

  /** A watch that fails when an event does not come in time. */
  within(watch: AsyncIterableIterator<ServiceEvent>): AsyncIterator<ServiceEvent> {
    this.#ends.push(async () => await watch.return?.());
    const timeoutMs = this.#settleMs;
    const late = (): Error => new Error(`an event of the watch did not come within ${timeoutMs} ms`);
    return { next: () => hold(watch.next(), { clock: systemClock, timeoutMs, late }) };
  }

  async sees(what: string, look: () => Promise<boolean>): Promise<void> {
    const giveUpAt = systemClock.now() + this.#settleMs;
    while (!await look()) {
      expect(systemClock.now() < giveUpAt, `${what} was not seen within ${this.#settleMs} ms`);
      await pause(systemClock, 10);
    }
  }

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end();
  }

  async #made(create: () => Discovery | Promise<Discovery>): Promise<Discovery> {
    const made = await create();
    const use = made.use?.();
    if (use !== undefined) this.#ends.unshift(async () => await use[Symbol.asyncDispose]());
    return made;
  }
}

let ports = 10_000;

function newPeer(): PeerInfo {
  return peerInfoOf(newInstanceId(), [`tcp://127.0.0.1:${ports++}`]);
}

function someName(): string {
  return `check-${crypto.randomUUID().slice(0, 8)}`;
}

function same(found: PeerInfo | null, info: PeerInfo): boolean {
  return found !== null && found.instanceId === info.instanceId &&
    String(found.workerAddress) === String(info.workerAddress);
}

function sameIds(found: readonly InstanceId[], wanted: readonly InstanceId[]): boolean {
  return String([...found].sort()) === String([...wanted].sort());
}

function initial(result: IteratorResult<ServiceEvent>): readonly InstanceId[] {
  expect(result.done !== true && result.value.type === "initial", "the first event is not initial");
  return (result.value as { instances: readonly InstanceId[] }).instances;
}

function tells(result: IteratorResult<ServiceEvent>, type: "added" | "removed", id: InstanceId): boolean {
  return result.done !== true && result.value.type === type && result.value.instance === id;
}

function expect(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
