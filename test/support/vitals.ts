/** Reads from the kernel what a process holds. */
import process from "node:process";
import { spawnCommand } from "./spawn.ts";

/** Whether {@link vitals} can tell anything here. */
export const hasVitals: boolean = process.platform === "linux";

/** The resources of a process. */
export interface Vitals {
  readonly descriptors: number;
  readonly threads: number;
  /** Resident memory, in MiB. */
  readonly residentMiB: number;
}

/** Looks at a process. A shell reads it, because Deno reads `/proc` only with every permission. */
export async function vitals(pid: number): Promise<Vitals> {
  await using shell = spawnCommand([
    "/bin/sh",
    "-c",
    `ls /proc/${pid}/fd | wc -l; grep -E '^(Threads|VmRSS)' /proc/${pid}/status`,
  ]);
  await shell.exit;
  const found = /^\s*(\d+)\n[^]*?VmRSS:\s*(\d+) kB\n[^]*?Threads:\s*(\d+)/.exec(shell.outputText);
  if (found === null) throw new Error(`Cannot look at process ${pid}: ${shell.outputText}${shell.errorText}`);
  return {
    descriptors: Number(found[1]),
    residentMiB: Number(found[2]) / 1024,
    threads: Number(found[3]),
  };
}
