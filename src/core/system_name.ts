/** Whether a handler's name is reserved for system handlers. */
export function isSystemName(name: string): boolean {
  return name.startsWith("_");
}
