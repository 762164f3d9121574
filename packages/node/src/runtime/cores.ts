import { readFileSync } from "node:fs";
import { availableParallelism, cpus, platform } from "node:os";

/**
 * Physical processor cores this process may use: two threads of one core get in each other's way in matrix products.
 * Respects affinity and, under Linux, the quota of a container.
 */
export function physicalCores(): number {
  const allowed = Math.min(availableParallelism(), quota());
  if (platform() === "linux")
    return Math.max(1, Math.min(allowed, coresIn(text("/proc/cpuinfo")) || allowed));
  // Apple's processors have one thread a core; elsewhere two are the rule.
  const threadsPerCore = platform() === "darwin" && /Apple/.test(cpus()[0]?.model ?? "") ? 1 : 2;
  return Math.max(1, Math.ceil(allowed / threadsPerCore));
}

/** Number of different (package, core) pairs in Linux's processor list; 0 where it does not say. */
export function coresIn(cpuinfo: string): number {
  const cores = new Set<string>();
  for (const block of cpuinfo.split(/\n\s*\n/)) {
    const core = /^core id\s*: (\d+)/m.exec(block)?.[1];
    if (core !== undefined) cores.add(`${/^physical id\s*: (\d+)/m.exec(block)?.[1]}/${core}`);
  }
  return cores.size;
}

function quota(): number {
  const [limit, period] = text("/sys/fs/cgroup/cpu.max").split(/\s+/).map(Number);
  return limit && period ? Math.max(1, Math.ceil(limit / period)) : Number.POSITIVE_INFINITY;
}

function text(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // another system, or one that hides it
  }
}
