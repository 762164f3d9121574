import { InputError } from "../errors.ts";
import { random } from "../random.ts";
import { normalCdf, normalQuantile } from "./distributions.ts";
import type { Interval } from "./interval.ts";

/**
 * A statistic that depends on its rows through sums alone. Accuracy, losses, F1 and binned calibration error
 * all do; so a resample costs one pass over the rows, and leaving a row out costs nothing but the row.
 */
export interface Statistic {
  /** How many sums it keeps. */
  readonly cells: number;
  /** Adds `times` times what row `row` contributes to the sums, which start at `totals[at]`. */
  add(totals: Float64Array, at: number, row: number, times: number): void;
  /** The statistic of the rows added up. */
  value(totals: Float64Array, at: number): number;
  /**
   * How its interval is made of the resamples. "bca": bias-corrected and accelerated (Efron 1987,
   * doi:10.2307/2289144). "basic": the percentiles reflected at the estimate (Davison and Hinkley 1997, eq.
   * 5.6), where resamples are biased away from the estimate as a calibration error's are.
   */
  readonly method: "bca" | "basic";
}

/** How a bootstrap draws. */
export interface BootstrapOptions {
  readonly seed: number;
  /** Resamples, 2000 when left out. */
  readonly replicates?: number;
  /** Confidence level, 0.95 when left out. */
  readonly level?: number;
  /**
   * Group of each row [N]: whole groups are drawn, since rows of one patient, page or author are no
   * independent evidence.
   */
  readonly groups?: ArrayLike<number | string> | null;
}

/** A statistic of all rows and the interval around it. */
export interface Estimate {
  readonly value: number;
  readonly interval: Interval;
}

/** The mean of `values` [N]. */
export function meanStatistic(values: ArrayLike<number>): Statistic {
  return {
    method: "bca",
    cells: 2,
    add(totals, at, row, times) {
      totals[at]! += times * values[row]!;
      totals[at + 1]! += times;
    },
    value: (totals, at) => totals[at]! / totals[at + 1]!,
  };
}

/** Macro-F1 over the classes that occur among the labels or predictions of the rows added. */
export function macroF1Statistic(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  classes: number,
): Statistic {
  return {
    method: "bca",
    cells: 2 * classes,
    add(totals, at, row, times) {
      const label = at + 2 * labels[row]!;
      const given = at + 2 * predicted[row]!;
      totals[label]! += times;
      totals[given]! += times;
      if (label === given) totals[label + 1]! += times;
    },
    value(totals, at) {
      let sum = 0;
      let present = 0;
      for (let c = at; c < at + 2 * classes; c += 2) {
        if (totals[c]! < 0.5) continue;
        sum += (2 * totals[c + 1]!) / totals[c]!;
        present++;
      }
      return sum / present;
    },
  };
}

/**
 * Calibration error Σ n_b/N · |accuracy_b − confidence_b| over fixed bins, from each row's confidence, hit
 * and bin [N].
 */
export function calibrationStatistic(
  confidence: ArrayLike<number>,
  isRight: ArrayLike<number>,
  bin: ArrayLike<number>,
  bins: number,
): Statistic {
  return {
    method: "basic",
    cells: bins + 1,
    add(totals, at, row, times) {
      totals[at + bin[row]!]! += times * (isRight[row]! - confidence[row]!);
      totals[at + bins]! += times;
    },
    value(totals, at) {
      let sum = 0;
      for (let b = 0; b < bins; b++) sum += Math.abs(totals[at + b]!);
      return sum / totals[at + bins]!;
    },
  };
}

/** a − b of the same rows: what a paired comparison resamples. */
export function differenceStatistic(a: Statistic, b: Statistic): Statistic {
  return {
    method: "bca",
    cells: a.cells + b.cells,
    add(totals, at, row, times) {
      a.add(totals, at, row, times);
      b.add(totals, at + a.cells, row, times);
    },
    value: (totals, at) => a.value(totals, at) - b.value(totals, at + a.cells),
  };
}

/**
 * The statistic of rows 0 … rows − 1 with a bootstrap interval, rows (or whole groups) drawn with
 * replacement. An interval without width says that the resamples never varied, not that the statistic is
 * certain; with a dozen groups or fewer it is too narrow.
 */
export function bootstrap(statistic: Statistic, rows: number, options: BootstrapOptions): Estimate {
  return bootstrapEach({ statistic }, rows, options).statistic;
}

/** `bootstrap` of several statistics over the same resamples, in a fraction of the time. */
export function bootstrapEach<K extends string>(
  statistics: Readonly<Record<K, Statistic>>,
  rows: number,
  { seed, replicates = 2000, level = 0.95, groups = null }: BootstrapOptions,
): Record<K, Estimate> {
  if (rows === 0) throw new InputError("bootstrap: there are no rows to draw from; give at least one");
  const units = groups === null ? null : rowsByGroup(groups, rows);
  const count = units?.length ?? rows;
  const each = Object.entries<Statistic>(statistics).map(([name, statistic]) => ({
    name,
    sums: new Sums(statistic, units, count),
    drawn: new Float64Array(replicates),
  }));
  const source = random(seed).fork("bootstrap");
  const times = new Int32Array(count);
  for (let r = 0; r < replicates; r++) {
    times.fill(0);
    for (let k = 0; k < count; k++) times[source.integer(count)]!++;
    for (const { sums, drawn } of each) drawn[r] = sums.of(times);
  }
  times.fill(1);
  const estimates = each.map(({ name, sums, drawn }) => {
    const value = sums.of(times);
    drawn.sort();
    const ends = sums.statistic.method === "basic" ? basicInterval : bcaInterval;
    return [name, { value, interval: ends(value, drawn, level, () => sums.leftOut()) }] as const;
  });
  return Object.fromEntries(estimates) as Record<K, Estimate>;
}

/** A statistic's sums over units, each a row or the rows of a group. */
class Sums {
  readonly statistic: Statistic;
  private readonly units: readonly (readonly number[])[] | null;
  private readonly count: number;
  private readonly totals: Float64Array;

  constructor(statistic: Statistic, units: readonly (readonly number[])[] | null, count: number) {
    this.statistic = statistic;
    this.units = units;
    this.count = count;
    this.totals = new Float64Array(statistic.cells);
  }

  /** The statistic with unit u taken times[u] times. */
  of(times: Int32Array): number {
    const { statistic, units, totals } = this;
    totals.fill(0);
    for (let unit = 0; unit < this.count; unit++) {
      if (times[unit] === 0) continue;
      if (units === null) statistic.add(totals, 0, unit, times[unit]!);
      else this.addGroup(unit, times[unit]!);
    }
    return statistic.value(totals, 0);
  }

  /** The statistic without unit u, for each u; call after `of` with every unit once. */
  leftOut(): Float64Array {
    return Float64Array.from({ length: this.count < 2 ? 0 : this.count }, (_, unit) => {
      this.addUnit(unit, -1);
      const without = this.statistic.value(this.totals, 0);
      this.addUnit(unit, 1);
      return without;
    });
  }

  private addUnit(unit: number, times: number): void {
    if (this.units === null) this.statistic.add(this.totals, 0, unit, times);
    else this.addGroup(unit, times);
  }

  private addGroup(group: number, times: number): void {
    for (const row of this.units![group]!) this.statistic.add(this.totals, 0, row, times);
  }
}

/** Row numbers of each group, in the order in which groups first occur. */
export function rowsByGroup(groups: ArrayLike<number | string>, rows: number): number[][] {
  if (groups.length !== rows)
    throw new InputError(`groups: ${groups.length} groups were given for ${rows} rows; give one a row`);
  const members = new Map<number | string, number[]>();
  for (let i = 0; i < rows; i++) {
    const list = members.get(groups[i]!);
    if (list === undefined) members.set(groups[i]!, [i]);
    else list.push(i);
  }
  return [...members.values()];
}

/**
 * BCa ends from sorted resamples and the values with one unit left out (Efron and Tibshirani 1993, eqs. 14.9
 * to 14.15).
 */
function bcaInterval(
  value: number,
  drawn: Float64Array,
  level: number,
  jackknife: () => Float64Array,
): Interval {
  const n = drawn.length;
  if (drawn[0] === drawn[n - 1]) return [drawn[0]!, drawn[0]!];
  let below = 0;
  for (const d of drawn) below += d < value ? 1 : d === value ? 0.5 : 0;
  const bias = normalQuantile(Math.min(n - 0.5, Math.max(0.5, below)) / n);
  const leftOut = jackknife();
  const centre = leftOut.reduce((sum, v) => sum + v, 0) / leftOut.length;
  let square = 0;
  let cube = 0;
  for (const v of leftOut) {
    square += (centre - v) ** 2;
    cube += (centre - v) ** 3;
  }
  const acceleration = square > 0 ? cube / (6 * square ** 1.5) : 0;
  const end = (p: number) => {
    const z = bias + normalQuantile(p);
    return quantile(drawn, normalCdf(bias + z / Math.max(1e-3, 1 - acceleration * z)));
  };
  return [end((1 - level) / 2), end((1 + level) / 2)];
}

function basicInterval(value: number, drawn: Float64Array, level: number): Interval {
  const tail = (1 - level) / 2;
  return [2 * value - quantile(drawn, 1 - tail), 2 * value - quantile(drawn, tail)];
}

/** Quantile of ascending values, linear between neighbours. */
function quantile(sorted: Float64Array, p: number): number {
  const at = Math.min(sorted.length - 1, Math.max(0, p * (sorted.length + 1) - 1));
  const low = Math.floor(at);
  const high = Math.min(sorted.length - 1, low + 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}
