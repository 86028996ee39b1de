import { inspect } from "node:util";
import { errorText, ZeromeshError } from "../core/mod.ts";
import { visible } from "./output.ts";

/** An error as `--json` prints it. */
export interface FailureJson {
  readonly code: string | null;
  readonly message: string;
  readonly ran?: string;
  readonly peer?: string | undefined;
  readonly handler?: string | undefined;
  readonly details?: unknown;
}

/** An error for `--json`. */
export function failureJson(error: unknown): FailureJson {
  if (!(error instanceof ZeromeshError)) return { code: null, message: errorText(error) };
  const { code, ran, peer, handler, details } = error;
  return { code, message: errorText(error), ran, peer, handler, details: jsonOf(details) };
}

/** An error in one line. */
export function failureLine(error: unknown): string {
  const code = error instanceof ZeromeshError ? `${error.code}: ` : "";
  // Further lines are indented, so that they differ from the command's own output.
  return visible(`${code}${errorText(error)}`).replaceAll("\n", "\n  ");
}

/** Whether the handler can have run, and the details, one line each. */
export function outcomeLines(error: unknown): string[] {
  if (!(error instanceof ZeromeshError)) return [];
  const lines = [`  ran: ${error.ran}`];
  if (error.details !== undefined) {
    lines.push(`  details: ${visible(textOf(error.details)).replaceAll("\n", "\n  ")}`);
  }
  return lines;
}

/** A hint when a service requires keys and none were given; null for other failures. */
export function keysHint(message: string, keys: string | undefined): string | null {
  if (keys !== undefined || !message.includes("CURVE")) return null;
  return 'no keys were given: see --keys and --server-key; "zeromesh keys new FILE" makes keys';
}

/** Details may have no JSON form. */
function jsonOf(details: unknown): unknown {
  if (details === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(details));
  } catch {
    return inspect(details);
  }
}

function textOf(details: unknown): string {
  const json = jsonOf(details);
  return typeof json === "string" && typeof details !== "string"
    ? json
    : JSON.stringify(json) ?? inspect(details);
}
