import { type Metric, type Row, subjectTitles, type TransportName, type Verdict } from "./bench_result.ts";
import type { Settings } from "./settings.ts";

/** Time per call at a point of a curve. */
export const costPerCall: Metric = {
  key: "cost",
  title: "Time per call",
  unit: "µs",
  better: "lower",
  compared: false,
};

/**
 * The transports of curves. One is enough: handlers, peers and calls in flight are tables and queues above the
 * transport, and a curve takes long. Other scenarios compare transports.
 */
export const curveTransports: readonly TransportName[] = ["tcp"];

/** The largest growth at which a curve counts as flat. */
export const flatWithin = 0.2;

/** Points are compared, so the first one must not be slower because its code is not compiled yet. */
export function longWarmMs(settings: Settings): number {
  return Math.max(500, settings.warmMs);
}

/** A point of a curve, and its growth over the point it is compared with. */
export interface Growth {
  readonly x: number;
  readonly factor: number;
}

/**
 * The growth of the cost along a curve.
 *
 * @param rows The points of one subject.
 * @param against `first`: each point is compared with the first one. `cheapest`: with the cheapest before it, for
 * curves that fall at first.
 */
export function growthOf(rows: readonly Row[], against: "first" | "cheapest"): Growth[] {
  const points = rows.flatMap((row) => {
    const cost = row.metrics[costPerCall.key]?.median;
    return row.x === undefined || cost === undefined ? [] : [{ x: row.x, cost }];
  }).sort((a, b) => a.x - b.x);
  let reference = points[0]?.cost ?? Number.NaN;
  return points.map(({ x, cost }) => {
    const factor = cost / reference;
    if (against === "cheapest") reference = Math.min(reference, cost);
    return { x, factor };
  });
}

/** Judges whether each curve is flat. A curve is the points of one subject whose cases have the same suffix. */
export function judgeCurves(rows: readonly Row[], against: "first" | "cheapest"): Verdict[] {
  const curves = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.x === undefined || row.subject === "c") continue;
    const name = `${subjectTitles[row.subject]}${curveName(row)}`;
    curves.set(name, [...curves.get(name) ?? [], row]);
  }
  return [...curves].map(([name, points]) => {
    const growth = growthOf(points, against);
    const worst = growth.reduce((a, b) => b.factor > a.factor ? b : a, { x: growth[0]?.x ?? 0, factor: 1 });
    const ok = growth.length > 1 && worst.factor <= 1 + flatWithin;
    const curve = growth.map(({ x, factor }) => `${x}: ×${factor.toFixed(2)}`).join(", ");
    const good = against === "first" ? "flat within 20 %" : "never 20 % dearer than before";
    const found = ok ? good : `not flat, ×${worst.factor.toFixed(2)} at ${worst.x}`;
    return { ok, text: `${name}: ${found} (${curve})` };
  });
}

/** The suffix of a case's name after the number: `, round all` of `10 peers, round all`. */
export function curveName(row: Row): string {
  const comma = row.case.indexOf(",");
  return comma < 0 ? "" : row.case.slice(comma);
}
