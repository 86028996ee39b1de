/** The most characters of an instance's name. */
export const maxInstanceNameLength = 64;

const grammar = /^[A-Za-z0-9][A-Za-z0-9._:@/-]*$/;

/**
 * Whether a text is a valid instance name: 1 to 64 ASCII letters, digits and `._:@/-`, beginning with a letter or
 * digit. Names appear in logs, so they hold no characters that could be mistaken for something else.
 */
export function isInstanceName(text: unknown): text is string {
  return typeof text === "string" && text.length <= maxInstanceNameLength && grammar.test(text);
}
