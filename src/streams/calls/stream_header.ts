import type { StreamWindow } from "../byte_stream.ts";
import { firstWindow } from "../mux/peer_mux.ts";

/** The header by which a call names its streams. */
export const streamHeader = "_stream";

/** The streams of a call. */
export interface CallStreams {
  /** Anchor and session of the output; with the bit of a writer's anchor also of the input. */
  readonly id: bigint;
  /** The window that the caller grants for the output; null without one. */
  readonly output: StreamWindow | null;
  /** The window with which the caller begins to send its input; null without one. */
  readonly input: StreamWindow | null;
}

/** How long sends wait for the answer of a handler that takes no more items. */
export const answerMs = 100;

/** How long a call whose streams have lost their connection waits for the news that its own is lost. */
export const lossMs = 100;

/** The windows of a call's streams, and what may wait un-awaited. */
export const callWindow: StreamWindow = firstWindow;

/** The largest window that an instance grants by its options; a caller that claims more gets as much. */
const mostItems = 65_535;

/** Digits of an id, which begins with none but 1 to 9. */
const mostDigits = 18;
const windowPattern = /^(?:o([1-9]\d{0,6}),([1-9]\d{0,8}))?(?:i([1-9]\d{0,6}),([1-9]\d{0,8}))?$/;

/** The windows of a call, and their text. */
interface Windows extends Pick<CallStreams, "output" | "input"> {
  readonly text: string;
}

// Almost all calls have the windows of the one before.
let written: Windows = { output: null, input: null, text: "" };
let read: Windows = written;

/** `ID`, then `oITEMS,BYTES` if there is an output, then `iITEMS,BYTES` if there is an input, in decimal. */
export function encodeStreams({ id, output, input }: CallStreams): string {
  if (written.output !== output || written.input !== input) {
    written = { output, input, text: windowText("o", output) + windowText("i", input) };
  }
  return id + written.text;
}

function windowText(direction: string, window: StreamWindow | null): string {
  return window === null ? "" : `${direction}${window.items},${window.bytes}`;
}

/** Reads the header; null if it is malformed. */
export function decodeStreams(text: string): CallStreams | null {
  let idEnd = 0;
  while (isDigit(text.charCodeAt(idEnd))) idEnd++;
  if (idEnd === 0 || idEnd > mostDigits || text.startsWith("0")) return null;
  const rest = text.slice(idEnd);
  if (rest !== read.text) {
    const found = windowPattern.exec(rest);
    if (found === null) return null;
    const [, outItems, outBytes, inItems, inBytes] = found;
    read = { output: windowOf(outItems, outBytes), input: windowOf(inItems, inBytes), text: rest };
  }
  return { id: BigInt(text.slice(0, idEnd)), output: read.output, input: read.input };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function windowOf(items: string | undefined, bytes: string | undefined): StreamWindow | null {
  return items === undefined ? null : { items: Math.min(Number(items), mostItems), bytes: Number(bytes) };
}
