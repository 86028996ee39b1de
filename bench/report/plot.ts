/** The plot of a result, as SVG: rates compared with C, all subjects, and the cost curves. */
import { type BenchResult, type Row, type SubjectName, subjectTitles } from "../harness/bench_result.ts";
import { costPerCall, curveName, flatWithin, growthOf } from "../harness/curve.ts";
import { grouped } from "../harness/scenario.ts";
import { formatFigure } from "../harness/tables.ts";

const colours: Readonly<Record<SubjectName, string>> = {
  bun: "#d9604a",
  deno: "#2f6f4f",
  mixed: "#c9a227",
  c: "#444444",
  zeromq: "#6c8ebf",
  nats: "#8e6cbf",
  grpc: "#4aa3a2",
  http: "#a0a0a0",
};

const panelWidth = 540;
const panelHeight = 300;
const inset = { left: 64, right: 32, top: 56, bottom: 40 };
const plotWidth = panelWidth - inset.left - inset.right;
const plotHeight = panelHeight - inset.top - inset.bottom;

/** A labelled value of a bar chart. */
interface Bar {
  readonly label: string;
  readonly value: number;
  readonly colour: string;
  readonly text: string;
}

/** A line of a curve. */
interface Line {
  readonly label: string;
  readonly colour: string;
  readonly dashed: boolean;
  readonly points: readonly Point[];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** The whole plot; panels without their scenario are left out. */
export function plotOf(result: BenchResult): string {
  const rows = (name: string): readonly Row[] =>
    result.scenarios.find((scenario) => scenario.name === name)?.rows ?? [];
  const panels = [
    againstC(rows("in-flight")),
    everybody(rows("in-flight")),
    growth("Time per call ÷ that with one peer, by peers (dashed: 64 in flight)", rows("cost-peers")),
    growth("Time per call ÷ that with one handler, by handlers", rows("cost-handlers")),
    costs("Time per call in µs, by calls in flight (logarithmic)", rows("cost-in-flight")),
    stalled(rows("stalled-peer")),
  ].filter((panel) => panel !== "");
  const columns = Math.min(2, Math.max(1, panels.length));
  const width = columns * panelWidth;
  const height = Math.ceil(panels.length / columns) * panelHeight;
  const placed = panels.map((panel, i) =>
    `<g transform="translate(${(i % columns) * panelWidth} ${
      Math.floor(i / columns) * panelHeight
    })">${panel}</g>`
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<rect width="${width}" height="${height}" fill="#ffffff"/>
${placed.join("\n")}
</svg>
`;
}

function againstC(rows: readonly Row[]): string {
  const bars = rows.filter((row) => row.transport === "tcp").flatMap((row): Bar[] => {
    const ratio = row.ratios?.["rate"]?.c;
    if (ratio === undefined) return [];
    const label = row.case.replace(" in flight", "");
    return [{ label, value: ratio, colour: colours[row.subject], text: ratio.toFixed(2) }];
  });
  const groups = [...new Set(bars.map((bar) => bar.label))];
  const ordered = groups.flatMap((label) => bars.filter((bar) => bar.label === label));
  if (ordered.length === 0) return "";
  const legend = (["bun", "deno", "mixed"] as const).map((name) => ({
    label: subjectTitles[name],
    colour: colours[name],
  }));
  return frame("Calls a second ÷ C libzmq, by calls in flight (64 B, TCP)", legend) +
    barsOf(ordered, groups, 1);
}

function everybody(rows: readonly Row[]): string {
  const bars = rows.filter((row) => row.transport === "tcp" && row.case === "64 in flight").flatMap((row) => {
    const rate = row.metrics["rate"]?.median;
    if (rate === undefined) return [];
    const label = subjectTitles[row.subject].replace(/, .*/, "");
    return [{ label, value: rate, colour: colours[row.subject], text: formatFigure(rate) }];
  }).sort((a, b) => b.value - a.value);
  if (bars.length === 0) return "";
  return frame("Calls a second with 64 in flight (64 B, TCP)", []) +
    barsOf(bars, bars.map((bar) => bar.label));
}

function stalled(rows: readonly Row[]): string {
  const bars = rows.map((row) => {
    const value = row.metrics["share"]?.median ?? 0;
    const label = `${subjectTitles[row.subject]} ${row.transport}`;
    return { label, value, colour: colours[row.subject], text: value.toFixed(2) };
  });
  if (bars.length === 0) return "";
  const title = "Throughput beside a stalled peer ÷ without it";
  return frame(title, []) + barsOf(bars, bars.map((bar) => bar.label), 1);
}

function barsOf(bars: readonly Bar[], labels: readonly string[], mark?: number): string {
  const most = 1.1 * Math.max(mark ?? 0, ...bars.map((bar) => bar.value));
  const y = (value: number): number => inset.top + plotHeight * (1 - value / most);
  const groupWidth = plotWidth / labels.length;
  const parts: string[] = [];
  labels.forEach((label, group) => {
    const mine = bars.filter((bar) => bar.label === label);
    const width = Math.min(40, 0.8 * groupWidth / mine.length);
    const start = inset.left + groupWidth * (group + 0.5) - width * mine.length / 2;
    mine.forEach((bar, i) => {
      const x = start + i * width;
      const height = inset.top + plotHeight - y(bar.value);
      parts.push(rectangle(x + 1, y(bar.value), width - 2, height, bar.colour));
      parts.push(text(x + width / 2, y(bar.value) - 4, bar.text, "middle", 10));
    });
    parts.push(
      text(inset.left + groupWidth * (group + 0.5), inset.top + plotHeight + 16, label, "middle", 10),
    );
  });
  if (mark !== undefined) parts.push(level(y(mark), mark.toFixed(1)));
  return parts.join("");
}

/** The growth of each point over the first. */
function growth(title: string, rows: readonly Row[]): string {
  const lines = linesOf(
    rows,
    (points) => growthOf(points, "first").map(({ x, factor }) => ({ x, y: factor })),
  );
  if (lines.length === 0) return "";
  const most = Math.max(1.5, ...lines.flatMap((line) => line.points.map((point) => 1.1 * point.y)));
  const y = (value: number): number => inset.top + plotHeight * (1 - value / most);
  const levels = level(y(1), "1.0") + level(y(1 + flatWithin), (1 + flatWithin).toFixed(1));
  return frame(title, lines.filter((line) => !line.dashed)) + levels + drawn(lines, y);
}

/** The cost of each point, on a logarithmic scale. */
function costs(title: string, rows: readonly Row[]): string {
  const lines = linesOf(rows, (points) =>
    points.flatMap((row) => {
      const cost = row.metrics[costPerCall.key]?.median;
      return row.x === undefined || cost === undefined ? [] : [{ x: row.x, y: cost }];
    }));
  if (lines.length === 0) return "";
  const decades = lines.flatMap((line) => line.points.map((point) => Math.log10(point.y)));
  const low = Math.floor(Math.min(...decades));
  const high = Math.ceil(Math.max(...decades));
  const y = (value: number): number =>
    inset.top + plotHeight * (high - Math.log10(value)) / (high - low || 1);
  const levels = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const drawnLevels = levels.map((value) => level(y(value), String(value))).join("");
  return frame(title, lines) + drawnLevels + drawn(lines, y);
}

function drawn(lines: readonly Line[], y: (value: number) => number): string {
  const xs = [...new Set(lines.flatMap((line) => line.points.map((point) => point.x)))];
  const span = Math.log10(Math.max(...xs)) || 1;
  const x = (value: number): number => inset.left + plotWidth * Math.log10(value) / span;
  const parts = xs.map((value) => text(x(value), inset.top + plotHeight + 16, grouped(value), "middle", 10));
  for (const { points, colour, dashed } of lines) {
    const path = points.map((point) => `${x(point.x).toFixed(1)},${y(point.y).toFixed(1)}`);
    const dash = dashed ? ` stroke-dasharray="5 4"` : "";
    const stroke = `fill="none" stroke="${colour}" stroke-width="2"${dash}`;
    parts.push(`<polyline points="${path.join(" ")}" ${stroke}/>`);
    for (const point of points) {
      const at = `cx="${x(point.x).toFixed(1)}" cy="${y(point.y).toFixed(1)}"`;
      parts.push(`<circle ${at} r="3" fill="${colour}"/>`);
    }
  }
  return parts.join("");
}

/** One line for each subject and, if a scenario has several curves, for each of them. */
function linesOf(rows: readonly Row[], pointsOf: (rows: readonly Row[]) => Point[]): Line[] {
  const names = [...new Set(rows.map(curveName))];
  const lines: Line[] = [];
  for (const subject of new Set(rows.map((row) => row.subject))) {
    names.forEach((name, i) => {
      const points = pointsOf(rows.filter((row) => row.subject === subject && curveName(row) === name));
      if (points.length < 2) return;
      lines.push({ label: subjectTitles[subject], colour: colours[subject], dashed: i > 0, points });
    });
  }
  return lines;
}

function frame(title: string, legend: readonly { label: string; colour: string }[]): string {
  const parts = [text(inset.left, 22, title, "start", 13)];
  legend.forEach(({ label, colour }, i) => {
    const x = inset.left + i * 92;
    parts.push(rectangle(x, 32, 10, 10, colour), text(x + 14, 41, label, "start", 10));
  });
  const bottom = inset.top + plotHeight;
  parts.push(
    `<path d="M${inset.left} ${inset.top}V${bottom}H${
      inset.left + plotWidth
    }" fill="none" stroke="#888888"/>`,
  );
  return parts.join("");
}

function level(y: number, label: string): string {
  const line = `<path d="M${inset.left} ${
    y.toFixed(1)
  }h${plotWidth}" stroke="#888888" stroke-dasharray="2 3"/>`;
  return line + text(inset.left - 6, y + 4, label, "end", 10);
}

function rectangle(x: number, y: number, width: number, height: number, colour: string): string {
  const [left, top, w, h] = [x, y, width, height].map((value) => value.toFixed(1));
  return `<rect x="${left}" y="${top}" width="${w}" height="${h}" fill="${colour}"/>`;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end", size: number): string {
  const where = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-size="${size}"`;
  return `<text ${where}>${words.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</text>`;
}
