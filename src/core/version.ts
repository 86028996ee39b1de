/** The version of this library, as `package.json` has it. */
export const libraryVersion = "0.1.0";
