/** The version of this library, as `package.json` has it. */
export const libraryVersion = "0.2.0";
