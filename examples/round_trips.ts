/** How long calls take. */
export interface RoundTrips {
  /** The number of measured calls. */
  readonly rounds: number;
  /** Half of them took at most this long, in milliseconds. */
  readonly p50: number;
  /** 99 of 100 took at most this long, in milliseconds. */
  readonly p99: number;
}

/** Makes calls one after another and measures each. The first calls, while code is being compiled, do not count. */
export async function measureRoundTrips(rounds: number, call: () => Promise<unknown>): Promise<RoundTrips> {
  for (let round = 0; round < Math.min(rounds, 500); round++) await call();
  const times = new Float64Array(rounds);
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await call();
    times[round] = performance.now() - start;
  }
  times.sort();
  const percentile = (share: number): number => times[Math.max(0, Math.ceil(rounds * share) - 1)] ?? 0;
  return { rounds, p50: percentile(0.5), p99: percentile(0.99) };
}

/** A duration with its unit. */
export function formatDuration(ms: number): string {
  return ms < 1 ? `${(ms * 1000).toFixed(0)} µs` : `${ms.toFixed(1)} ms`;
}
