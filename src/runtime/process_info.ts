import { hostname } from "node:os";
import process from "node:process";

/** The used parts of the runtimes' globals. */
interface Globals {
  readonly Bun?: { readonly version: string };
  readonly Deno?: {
    readonly version: { readonly deno: string };
    readonly permissions: {
      querySync(about: { readonly name: "sys"; readonly kind: "hostname" }): { readonly state: string };
    };
  };
}

/** What this process can say of itself to people. */
export interface OwnProcess {
  /** Its process id. */
  readonly pid: number;
  /** The name of its host; empty where the program may not know it. */
  readonly host: string;
  /** Name and version of the runtime. */
  readonly runtime: string;
}

/** What this process can say of itself. Nobody is asked for a permission. */
export function ownProcess(): OwnProcess {
  const { Bun: bun, Deno: deno } = globalThis as Globals;
  const runtime = bun === undefined ? `deno ${deno?.version.deno ?? ""}` : `bun ${bun.version}`;
  return { pid: process.pid, host: hostOf(deno), runtime };
}

function hostOf(deno: Globals["Deno"]): string {
  // Asking for the name itself would ask the person at the terminal.
  if (
    deno !== undefined && deno.permissions.querySync({ name: "sys", kind: "hostname" }).state !== "granted"
  ) {
    return "";
  }
  return hostname();
}
