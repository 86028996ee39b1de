/** Whether a handler's name is one of the system's, which no user can take. */
export function isSystemName(name: string): boolean {
  return name.startsWith("_");
}
