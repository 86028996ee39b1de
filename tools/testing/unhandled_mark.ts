/** How the lines begin with which the guard tells the runner about errors that no test caught. */
export const unhandledMark = "[not caught by any test]";
