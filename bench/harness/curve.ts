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
 * What a curve is measured on. One transport is enough: handlers, peers and calls in flight are tables and queues of the
 * library's, above either of them, and a curve takes long. What the transports cost is told by the other scenarios.
 */
export const curveTransports: readonly TransportName[] = ["tcp"];

/** How much dearer a point may be and the curve still counts as flat. */
export const flatWithin = 0.2;

/** Points are compared with each other: the first may not be dearer only because its code is not compiled yet. */
export function longWarmMs(settings: Settings): number {
  return Math.max(500, settings.warmMs);
}

/** A point of a curve, and how much dearer it is than what it is held against. */
export interface Growth {
  readonly x: number;
  readonly factor: number;
}

/**
 * How the cost grows along a curve.
 *
 * @param rows The points of one subject.
 * @param against `first`: each point is held against the first one. `cheapest`: against the cheapest before it,
 * for curves that fall at first.
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

/** Says of each curve whether it is flat. A curve is the points of one subject whose cases end alike. */
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

/** What stands behind the number in a case's name: `, round all` of `10 peers, round all`. */
export function curveName(row: Row): string {
  const comma = row.case.indexOf(",");
  return comma < 0 ? "" : row.case.slice(comma);
}
