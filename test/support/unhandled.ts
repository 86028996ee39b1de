/** Rejections that nobody handles. */
import process from "node:process";
import { pause } from "./until.ts";

/** Rejections that nobody handled while a function ran. */
export async function unhandledIn(run: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  process.on("unhandledRejection", note);
  try {
    await run();
    // Unhandled rejections are told in a later turn of the event loop.
    for (let turn = 0; turn < 5; turn++) await pause(1);
  } finally {
    process.off("unhandledRejection", note);
  }
  return unhandled;
}
