import { Buffer } from "node:buffer";
import { CommandFailed } from "./command.ts";
import type { CommandIo } from "./output.ts";
import { textOf } from "./text.ts";

/** Prints the bytes of an answer. */
export function printAnswer(
  answer: Uint8Array,
  { raw, json }: { readonly raw?: boolean | undefined; readonly json?: boolean | undefined },
  io: CommandIo,
): void {
  if (raw === true) return io.write(answer);
  const text = textOf(answer);
  if (json === true) return io.out(answerJson(text, answer));
  if (text !== null) return io.out(text);
  io.error(`the answer is ${answer.length} bytes that are no text; --raw writes them as they are`);
  throw new CommandFailed();
}

/** `{"answer": …}` for JSON, which is copied verbatim; `{"text": …}` or `{"base64": …}` for other answers. */
function answerJson(text: string | null, bytes: Uint8Array): string {
  if (text === null) return JSON.stringify({ base64: Buffer.from(bytes).toString("base64") });
  try {
    JSON.parse(text);
    return `{"answer":${text}}`;
  } catch {
    return JSON.stringify({ text });
  }
}
