/** Time that this process was given: what it had to wait for others on the machine is left out. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
