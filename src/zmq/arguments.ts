/** Checks a call's arguments, which programs in plain JavaScript get wrong. */

/** @throws {TypeError} If there are more arguments than `most`. */
export function checkCount(given: ArrayLike<unknown>, most: number): void {
  if (given.length > most) throw wrongCount(given, most);
}

/** The error of a call with too many arguments. */
export function wrongCount(given: ArrayLike<unknown>, most: number): TypeError {
  return new TypeError(`Expected ${most} argument${most === 1 ? "" : "s"} but received ${given.length}`);
}

/** @throws {TypeError} If the address is not a text. */
export function checkAddress(address: unknown): asserts address is string {
  if (typeof address !== "string") throw new TypeError("Address must be a string");
}

/** @throws {TypeError} If there are options, and they are not an object. */
export function checkOptions(options: unknown): asserts options is object | undefined {
  const fits = options === undefined || (typeof options === "object" && options !== null) ||
    typeof options === "function";
  if (!fits) throw new TypeError("Options must be an object");
}

/** @throws {TypeError} If the number of an option is none. */
export function checkIdentifier(option: unknown): asserts option is number {
  if (typeof option !== "number") throw new TypeError("Identifier must be a number");
}

/** @throws {TypeError} If the value is not a boolean. */
export function checkBoolean(value: unknown): asserts value is boolean {
  if (typeof value !== "boolean") throw new TypeError("Option value must be a boolean");
}

/** @throws {TypeError} If the value is not a number. */
export function checkNumber(value: unknown): asserts value is number {
  if (typeof value !== "number") throw new TypeError("Option value must be a number");
}
