/** How the value of an option travels. */
export type OptionType = "Bool" | "Int32" | "Uint32" | "Int64" | "Uint64" | "String";

/** An option as a property. */
export interface OptionSpec {
  /** libzmq's number. */
  readonly option: number;
  /** How its value travels. */
  readonly type: OptionType;
  /** `"r"` for reading only, `"w"` for writing only. @default {both} */
  readonly access?: "r" | "w";
  /** Names for the numbers 0, 1, … */
  readonly values?: readonly (string | null)[];
}

type Accessors =
  & Record<`get${OptionType}Option`, (option: number) => unknown>
  & Record<`set${OptionType}Option`, (option: number, value: unknown) => void>;

/** The names of the options of each prototype. */
const names = new WeakMap<object, Map<number, string>>();

/** The property of an object that is an option. */
export function optionName(object: object, option: number): string {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    const name = names.get(at)?.get(option);
    if (name !== undefined) return name;
  }
  return `option ${option}`;
}

/** Defines options as properties of a class, in the prototype, where `Object.assign` finds their setters. */
export function defineOptions(prototype: object, options: { readonly [name: string]: OptionSpec }): void {
  const known = names.get(prototype) ?? new Map<number, string>();
  names.set(prototype, known);
  for (const [name, { option, type, access, values }] of Object.entries(options)) {
    known.set(option, name);
    const property: PropertyDescriptor = { configurable: true };
    if (access !== "w") {
      property.get = function (this: Accessors) {
        const value = this[`get${type}Option`](option);
        return values === undefined ? value : values[value as number];
      };
    }
    if (access === "r") {
      // The runtimes have texts of their own, one of which does not say what it is about.
      const message =
        `Cannot set property ${name} of #<${prototype.constructor.name}> which has only a getter`;
      property.set = () => {
        throw new TypeError(message);
      };
    } else {
      property.set = function (this: Accessors, value: unknown) {
        this[`set${type}Option`](option, values === undefined ? value : values.indexOf(value as string));
      };
    }
    Object.defineProperty(prototype, name, property);
  }
}

/** Sets properties of an object that has them. @throws {TypeError} If it has not. */
export function assignOptions(object: object, options: object): void {
  for (const name of Object.keys(options)) {
    if (!(name in object)) throw new TypeError(`Cannot add property ${name}, object is not extensible`);
  }
  Object.assign(object, options);
}
