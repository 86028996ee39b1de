import { Buffer } from "node:buffer";
import process from "node:process";
import { onAbort } from "../core/mod.ts";

/** All of standard input; rejects with the signal's reason. */
export function readStdin(signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    onAbort(signal, () => reject(signal.reason));
    process.stdin.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    process.stdin.once("error", reject);
    process.stdin.once("end", () => resolve(Buffer.concat(chunks)));
  });
}
