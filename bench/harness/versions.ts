/** The environment of a run. */
import { cpus, release, totalmem, type as systemType } from "node:os";
import process from "node:process";
import { runtimeProgram } from "../../test/support/runtime.ts";
import type { Machine, SubjectName } from "./bench_result.ts";
import { nodeProgram, versionOf } from "./preparation.ts";

const libraries = new Map<string, string>();

const names: Readonly<Record<SubjectName, string>> = {
  bun: "libzmq of Bun",
  deno: "libzmq of Deno",
  mixed: "libzmq of Deno",
  c: "libzmq of C",
  zeromq: "libzmq of zeromq",
  nats: "nats-server",
  grpc: "@grpc/grpc-js",
  http: "http",
};

/** Stores the version that a subject's server reported. */
export function rememberVersion(subject: SubjectName, version: string): void {
  libraries.set(names[subject], version);
}

/** The versions of all programs and packages in use. */
export async function versions(): Promise<Record<string, string>> {
  const node = await nodeProgram().then(versionOf, () => null);
  const deno = await versionOf(runtimeProgram("deno"));
  return {
    bun: process.versions["bun"] ?? "unknown",
    ...(deno === null ? {} : { deno }),
    ...(node === null ? {} : { node }),
    ...Object.fromEntries([...libraries].sort(([a], [b]) => a < b ? -1 : 1)),
  };
}

/** This machine, without its name. */
export function machine(): Machine {
  const all = cpus();
  return {
    processor: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${systemType()} ${release().replace(/^(\d+\.\d+).*$/s, "$1")}, ${process.arch}`,
  };
}
