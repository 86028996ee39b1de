import { ZeromeshError } from "../core/mod.ts";

/** The most characters of a channel's name. */
export const longestChannelName = 255;

const part = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
// The usual case in one step: a broker checks every registration.
const whole = /^[A-Za-z][A-Za-z0-9_-]{0,63}(?:[/.][A-Za-z][A-Za-z0-9_-]{0,63})*$/;

/**
 * Checks the name of a channel: parts of 1 to 64 ASCII letters, digits, `_` and `-` that begin with a letter, joined by `/`
 * or `.`, at most 255 characters in all. Both sides check it.
 *
 * @param cannot The beginning of the error's message, such as `Cannot create a channel`.
 * @throws {ZeromeshError} `NAME_INVALID`, which shows where.
 */
export function checkChannelName(name: string, cannot: string): void {
  const why = whyInvalid(name);
  if (why === null) return;
  throw new ZeromeshError("NAME_INVALID", `${cannot}: the name ${JSON.stringify(name.slice(0, 80))} ${why}`, {
    details: { name: name.slice(0, longestChannelName) },
  });
}

/** Why a text is no name of a channel; null if it is one. */
export function whyInvalid(name: string): string | null {
  if (name.length <= longestChannelName && whole.test(name)) return null;
  if (name === "") return "is empty";
  if (name.length > longestChannelName) {
    return `has ${name.length} characters, and ${longestChannelName} is the most`;
  }
  let at = 0;
  for (const one of name.split(/[/.]/)) {
    if (!part.test(one)) {
      return one === ""
        ? `has an empty part at character ${at + 1}`
        : `has the part ${JSON.stringify(one)} at character ${
          at + 1
        }; a part is a letter and then at most 63 letters, ` +
          "digits, _ and -";
    }
    at += one.length + 1;
  }
  return null;
}
