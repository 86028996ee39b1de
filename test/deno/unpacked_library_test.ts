/**
 * A libzmq whose path only Deno knows, as in a compiled program, which unpacks it somewhere. Here `Deno.dlopen`
 * is told to look elsewhere, since not every machine can compile.
 */
import { assertEquals } from "@std/assert";
import { copyFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { openBackend } from "zeromesh/ffi";
import { repositoryRoot } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { pause } from "../support/until.ts";

/** What this process has mapped. Deno itself may look at that only with all permissions. */
async function mapped(): Promise<string> {
  await using cat = spawnCommand(["cat", `/proc/${process.pid}/maps`]);
  await cat.exit;
  return cat.outputText;
}

/** The system's libzmq: unlike the one of the npm package, it can be unloaded. Null where there is none. */
async function systemLibrary(): Promise<string | null> {
  if (process.platform !== "linux") return null;
  await openBackend({ search: ["system"] }).catch(() => {});
  return / (\/\S*libzmq\.so\S*)$/m.exec(await mapped())?.[1] ?? null;
}

const system = await systemLibrary();
const name = "a libzmq that Deno unpacked stays loaded after the Worker that opened it";

Deno.test({
  name: system === null ? `${name} (skipped: libzmq5 is not installed)` : name,
  ignore: system === null,
  async fn() {
    const real = `${tmpdir()}/unpacked.so`;
    copyFileSync(system ?? "", real);
    const source = `const { dlopen } = Deno;
      Deno.dlopen = (path, symbols) => dlopen(path === "/inside/libzmq.so" ? ${
      JSON.stringify(real)
    } : path, symbols);
      const { openBackend } = await import(${JSON.stringify(`file://${repositoryRoot}/ffi/mod.ts`)});
      postMessage((await openBackend({ library: "/inside/libzmq.so" })).library.path);`;
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    const opened = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    assertEquals(opened, "/inside/libzmq.so");
    assertEquals((await mapped()).includes(real), true);
    worker.terminate();
    URL.revokeObjectURL(url);
    // Deno closes the Worker's libraries a moment after its end; without the pin this one goes within a few turns.
    for (let turn = 0; turn < 20 && (await mapped()).includes(real); turn++) {
      await pause(10);
    }
    assertEquals((await mapped()).includes(real), true);
  },
});
