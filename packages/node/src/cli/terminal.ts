/** Where a command speaks: results to standard output, progress to standard error. */
export interface Terminal {
  /** A line for people; silent under `--json`. */
  print(line?: string): void;
  /** A warning, on standard error, also under `--json` and `--quiet`. */
  warn(line: string): void;
  /** A task with a known (or, null, unknown) number of steps. */
  progress: ProgressReporter;
}

export type ProgressReporter = (task: string, done: number, total: number | null) => void;

export interface TerminalSettings {
  readonly json: boolean;
  readonly quiet: boolean;
}

interface Writable {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Streams {
  readonly out: Writable;
  readonly err: Writable;
  /** Milliseconds since some moment. */
  now(): number;
}

const PLAIN_INTERVAL_MS = 3000;
const BAR_INTERVAL_MS = 80;

/** Speaks through the given streams: a bar on a terminal, a plain line every few seconds otherwise. */
export function terminal(settings: TerminalSettings, streams: Streams): Terminal {
  const started = new Map<string, number>();
  let shown = Number.NEGATIVE_INFINITY;
  let barWidth = 0;
  const clear = () => {
    if (barWidth > 0) streams.err.write(`\r${" ".repeat(barWidth)}\r`);
    barWidth = 0;
  };
  return {
    print(line = "") {
      clear();
      if (!settings.json) streams.out.write(`${line}\n`);
    },
    warn(line) {
      clear();
      streams.err.write(`warning: ${line}\n`);
    },
    progress(task, done, total) {
      if (settings.quiet) return;
      const now = streams.now();
      if (!started.has(task)) started.set(task, now);
      const finished = total !== null && done >= total;
      const interval = streams.err.isTTY ? BAR_INTERVAL_MS : PLAIN_INTERVAL_MS;
      if (now - shown < interval && !finished) return;
      shown = now;
      const text = describe(task, done, total, (now - started.get(task)!) / 1000);
      if (streams.err.isTTY) {
        const line = text.slice(0, Math.max(20, (streams.err.columns ?? 80) - 1));
        streams.err.write(`\r${line.padEnd(barWidth)}`);
        barWidth = line.length;
        if (finished) {
          streams.err.write("\n");
          barWidth = 0;
        }
      } else {
        streams.err.write(`${text}\n`);
      }
      if (finished) started.delete(task);
    },
  };
}

function describe(task: string, done: number, total: number | null, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const speed = rate > 0 ? `, ${rate >= 10 ? Math.round(rate) : rate.toFixed(1)}/s` : "";
  if (total === null) return `${task}: ${done}${speed}`;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const bar = "█".repeat(Math.round(share * 20)).padEnd(20, "·");
  const left = rate > 0 && done < total ? `, ${duration((total - done) / rate)} left` : "";
  return `${task}: ${bar} ${done}/${total}${speed}${left}`;
}

/** Seconds in words a person reads at a glance. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
