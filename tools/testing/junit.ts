/** The counts of one test file. */
export interface Counts {
  /** How many tests passed. */
  readonly passed: number;
  /** Names of the failed tests. */
  readonly failed: readonly string[];
  /** Names of the skipped tests. */
  readonly skipped: readonly string[];
}

/**
 * Counts the tests of a JUnit report of Bun or Deno.
 *
 * Deno also reports each group of tests as a test. A group is not counted, unless it failed itself while all its tests
 * passed.
 */
export function countJunit(xml: string): Counts {
  const cases: { name: string; state: "passed" | "failed" | "skipped" }[] = [];
  for (const match of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attributes = match[1] ?? "";
    const body = match[2] ?? "";
    const state = /<(?:failure|error)\b/.test(body)
      ? "failed"
      : /<skipped\b/.test(body)
      ? "skipped"
      : "passed";
    cases.push({ name: fullName(attributes), state });
  }
  const inside = (group: string) => cases.filter((one) => one.name.startsWith(`${group} > `));
  const counted = cases.filter((one) => {
    const children = inside(one.name);
    return children.length === 0 ||
      (one.state === "failed" && children.every((child) => child.state !== "failed"));
  });
  const names = (state: string) =>
    counted.filter((one) => one.state === state).map((one) => one.name.replaceAll(/\s+/g, " "));
  return { passed: names("passed").length, failed: names("failed"), skipped: names("skipped") };
}

function fullName(attributes: string): string {
  const name = attribute(attributes, "name");
  // Bun puts the groups into the class name, innermost first; Deno puts them into the name, and the file there.
  const groups = attribute(attributes, "classname");
  return groups === "" || /\.ts$/.test(groups) ? name : [...groups.split(" > ").reverse(), name].join(" > ");
}

function attribute(attributes: string, name: string): string {
  const text = new RegExp(`(?:^|\\s)${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return text.replace(/&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g, (whole, decimal, hex, entity) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }[entity as string] ?? whole;
  });
}
