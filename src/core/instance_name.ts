/** Longest name of an instance, in characters. */
export const maxInstanceNameLength = 64;

const grammar = /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/;

/**
 * Whether a text can be the name of an instance: 1 to 64 letters, digits and `._:@/-` of ASCII, the first one a letter or
 * a digit. Names are for people and stand in logs, so nothing in them can be taken for something else.
 */
export function isInstanceName(text: unknown): text is string {
  return typeof text === "string" && text.length <= maxInstanceNameLength && grammar.test(text);
}
