import { ZeromeshError } from "../../core/mod.ts";
import { codeOfVeloText, forbiddenPrefix, veloText } from "../../wire/mod.ts";
import type { PendingCall } from "../calls/pending.ts";

/** A failure for peers that take no codes. */
export interface Words {
  /** Text. */
  readonly text: string;
  /** Whether a nack carries the text, even as the answer to a unary call. */
  readonly nack: boolean;
}

const answer = (text: string): Words => ({ text, nack: false });
const nack = (text: string): Words => ({ text, nack: true });

/** Velo's failures: a nack for the dispatcher's, an answer for a handler's. */
export const words = {
  notFound: (name: string): Words => nack(veloText.handlerNotFound(name)),
  inputInvalid: (why: string): Words => answer(veloText.inputInvalid(why)),
  outputInvalid: (why: string): Words => answer(veloText.outputInvalid(why)),
  unaryToAm: (name: string, why?: string): Words => answer(veloText.unaryToAm(name, why)),
  failed: (why: string): Words => answer(veloText.handlerFailed(why)),
  cutShort: (why: string): Words => nack(veloText.handlerFailed(why)),
  full: nack(veloText.laneFull),
  forbidden: (why: string): Words => nack(forbiddenPrefix + why),
  refused: nack,
} as const;

/** The error of a call that was answered with a text only. */
export function errorOfText(call: PendingCall, text: string, reply: "response" | "ack"): ZeromeshError {
  const { peer, handler } = call;
  const { code, ran } = codeOfVeloText(text, { reply, handler, unary: call.accept !== null });
  return new ZeromeshError(code, text, { peer, handler, ran });
}
