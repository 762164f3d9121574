import { binsOf } from "../metrics.ts";
import { random } from "../random.ts";
import { calibrationStatistic } from "./bootstrap.ts";

/** The calibration error that chance alone gives: its mean and the value that 95 % of draws stay below. */
export interface ChanceCalibration {
  readonly mean: number;
  readonly high: number;
}

/**
 * The calibration error a perfectly calibrated model with these confidences [N] would show: each row is right
 * with the probability stated, drawn again and again (consistency resampling, Bröcker and Smith 2007,
 * doi:10.1175/WAF993.1). An
 * `ece` below `high` is no evidence of miscalibration; the error of few rows in many bins is never near 0.
 */
export function chanceCalibration(
  confidence: ArrayLike<number>,
  { seed, bins = 15, draws = 500 }: { seed: number; bins?: number; draws?: number },
): ChanceCalibration {
  const n = confidence.length;
  const isRight = new Uint8Array(n);
  const statistic = calibrationStatistic(confidence, isRight, binsOf(confidence, { bins }), bins);
  const totals = new Float64Array(statistic.cells);
  const source = random(seed).fork("calibration by chance");
  const errors = new Float64Array(draws);
  for (let d = 0; d < draws; d++) {
    totals.fill(0);
    for (let i = 0; i < n; i++) {
      isRight[i] = source.uniform() < confidence[i]! ? 1 : 0;
      statistic.add(totals, 0, i, 1);
    }
    errors[d] = statistic.value(totals, 0);
  }
  errors.sort();
  const mean = errors.reduce((sum, error) => sum + error, 0) / draws;
  return { mean, high: errors[Math.ceil(0.95 * draws) - 1]! };
}
