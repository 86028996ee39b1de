/** Measures the other work of a process while a test floods it with messages. */
import { connect } from "node:net";
import { pause, within } from "./until.ts";

/** Measures the delays of the ticks of a 5 ms interval, in milliseconds. */
export async function ticks(ms: number): Promise<number[]> {
  const late: number[] = [];
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    late.push(now - last - 5);
    last = now;
  }, 5);
  await pause(ms);
  clearInterval(timer);
  return late;
}

/** Measures round trips to a TCP echo, in milliseconds. */
export async function roundTrips(port: number, ms: number): Promise<number[]> {
  const socket = connect(port, "127.0.0.1");
  const took: number[] = [];
  const end = performance.now() + ms;
  await within(
    new Promise<void>((resolve, reject) => {
      let sent = 0;
      const send = () => {
        sent = performance.now();
        socket.write("x");
      };
      socket.once("error", reject);
      socket.once("connect", send);
      socket.on("data", () => {
        took.push(performance.now() - sent);
        if (performance.now() < end) send();
        else resolve();
      });
    }),
    ms + 5_000,
    "the last round trip to an echo in this process",
  );
  socket.destroy();
  return took;
}

/** Measures an action again and again, with a turn of the event loop between, in milliseconds. */
export async function durations(ms: number, once: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const began = performance.now();
    await once();
    took.push(performance.now() - began);
    await pause(1);
  }
  return took;
}

/** The value below which this share of all values lies; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
