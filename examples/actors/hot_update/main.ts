/** Edits an actor's module while the actor runs: its state survives, and a bad version is undone. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ActorSystem } from "zeromesh/actors";
import tally from "./tally.ts";

// The edits are made to a copy beside the module, so that its imports resolve.
const folder = mkdtempSync(join(import.meta.dirname ?? ".", ".edited-"));
const module = join(folder, "tally.ts");
copyFileSync(new URL("tally.ts", import.meta.url), module);

/** Saves another version of the module. */
function edit(version: number, find: string, replacement: string): void {
  const source = readFileSync(new URL("tally.ts", import.meta.url), "utf8");
  writeFileSync(module, source.replace("version: 1", `version: ${version}`).replace(find, replacement));
}

try {
  await using system = ActorSystem.local();
  const ref = await system.spawn(tally, { name: "tally" });
  console.log(await ref.ask("vote", { for: "Ada" }));

  edit(2, "`${name} has ${votes[name]}`", "`${name} leads with ${votes[name]}`");
  const { fromVersion, toVersion } = await system.update(ref, module);
  console.log(`updated from version ${fromVersion} to ${toVersion}`);
  console.log(await ref.ask("vote", { for: "Ada" }));

  writeFileSync(module, "export default (");
  await system.update(ref, module).catch((error) => console.log(`refused: ${error.code}`));
  console.log(await ref.ask("vote", { for: "Ada" }));

  // It loads, but its handler fails: the first failure in the probation undoes the update.
  edit(3, "return `", "throw new Error(`version 3 is broken`); return `");
  await system.update(ref, module, { probation: { failures: 1, withinMs: 60_000 } });
  await ref.ask("vote", { for: "Ada" }).catch((error) => console.log(`failed: ${error.message}`));
  console.log(await ref.ask("vote", { for: "Ada" }));
  console.log(`version ${system.lookup(ref)?.version} runs`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
