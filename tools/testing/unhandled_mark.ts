/** Prefix of the guard's lines about errors that no test caught. */
export const unhandledMark = "[not caught by any test]";
