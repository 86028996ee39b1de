/** Processes that are found through discovery, and a caller of theirs. */
import { mkdtempSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import type { InstanceId, Messenger, ServiceTarget } from "../../src/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { productPermissions, type RuntimeName } from "./runtime.ts";
import { type SpawnedProcess, spawnScript } from "./spawn.ts";

// Bun keeps the one descriptor of all its file watches for good; it is no leak of the test that watches first.
watch(tmpdir(), { persistent: false }, () => {}).close();

/** The permissions that such processes need on Deno beyond those of every user of the library. */
export const discoveryPermissions: readonly string[] = [
  ...productPermissions,
  "--allow-write",
  "--allow-net",
  "--allow-sys=uid",
];

/** A process with its id. */
export interface DiscoveryPeer {
  /** Its process. */
  readonly process: SpawnedProcess;
  /** Its id. */
  readonly id: InstanceId;
}

/** Starts a peer and waits until it is registered. */
export async function startPeer(
  t: LeakCheck,
  spec: string,
  services: readonly string[],
  runtime?: RuntimeName,
): Promise<DiscoveryPeer> {
  const process = t.use(
    spawnScript("test/support/peers/discovery_peer.ts", [spec, ...services], {
      runtime,
      permissions: discoveryPermissions,
    }),
  );
  const line = await process.waitForLine(/^READY /);
  return { process, id: line.slice("READY ".length) as InstanceId };
}

/** A folder that is removed when the test ends. */
export function temporaryFolder(t: LeakCheck, name: string): string {
  const folder = mkdtempSync(`${tmpdir()}/${name}-`);
  t.defer(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Resolves to the instance that answers a call to a service. */
export async function whoAnswers(caller: Messenger, to: ServiceTarget | InstanceId): Promise<string> {
  return new TextDecoder().decode(await caller.unary("whoami", { to, timeoutMs: 5_000 }));
}

/** Resolves to the instances that answer so many calls, one after the other. */
export async function answerers(
  caller: Messenger,
  to: ServiceTarget,
  calls: number,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let call = 0; call < calls; call++) {
    const id = await whoAnswers(caller, to);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}
