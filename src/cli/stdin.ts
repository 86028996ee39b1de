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

/** The lines of standard input, without their ends. */
export async function* stdinLines(): AsyncIterableIterator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  if (rest !== "") yield rest;
}
