/** A factor on the learning rate: of step 0, 1, 2 … */
export type Schedule = (step: number) => number;

/** Always 1. */
export const constant = (): Schedule => () => 1;
/** Times `by` every `every` steps. */
export const stepwise =
  (every: number, by = 0.1): Schedule =>
  (step) =>
    by ** Math.floor(step / every);
/** Times `by` at each of the steps named. */
export const multistep =
  (at: readonly number[], by = 0.1): Schedule =>
  (step) =>
    by ** at.filter((one) => one <= step).length;
/** Times `by` every step. */
export const exponential =
  (by: number): Schedule =>
  (step) =>
    by ** step;
/**
 * Half a cosine from 1 to `least` in `total` steps, then `least` (Loshchilov and Hutter 2017,
 * https://arxiv.org/abs/1608.03983).
 */
export const cosine =
  (total: number, least = 0): Schedule =>
  (step) =>
    between(1, least, Math.min(1, step / total));
/** Cosines one after the other, each `growth` times as long as the last. */
export const cosineRestarts =
  (period: number, growth = 1, least = 0): Schedule =>
  (step) => {
    let start = 0;
    let length = period;
    while (step >= start + length) {
      start += length;
      length *= growth;
    }
    return between(1, least, (step - start) / length);
  };
/**
 * Up to 1 in the first `warm` share of `total` steps and down again, by cosines, from 1/`from` and to 1/(`from`·`to`)
 * (Smith and Topin 2019, https://arxiv.org/abs/1708.07120, in PyTorch's form).
 */
export const oneCycle =
  (total: number, warm = 0.3, from = 25, to = 1e4): Schedule =>
  (step) => {
    const top = warm * total - 1;
    if (step <= top) return between(1 / from, 1, step / top);
    return between(1, 1 / (from * to), Math.min(1, (step - top) / (total - 1 - top)));
  };
/** (1 − step/total)^power, then 0. */
export const polynomial =
  (total: number, power = 1): Schedule =>
  (step) =>
    Math.max(0, 1 - step / total) ** power;
/** Up and down in straight lines between `least` and 1 (Smith 2017, https://arxiv.org/abs/1506.01186). */
export const triangular =
  (up: number, least: number): Schedule =>
  (step) => {
    const phase = (step % (2 * up)) / up;
    return least + (1 - least) * (1 - Math.abs(phase - 1));
  };
/**
 * Up in a straight line for the share `cut` of `total` steps, then slowly down to 1/`ratio` (slanted
 * triangular: Howard and Ruder 2018, https://arxiv.org/abs/1801.06146, equation 3).
 */
export const slantedTriangular =
  (total: number, cut = 0.1, ratio = 32): Schedule =>
  (step) => {
    const top = Math.max(1, Math.floor(total * cut));
    const share = step < top ? step / top : Math.max(0, 1 - (step - top) / (top * (1 / cut - 1)));
    return (1 + share * (ratio - 1)) / ratio;
  };
/** Straight from 1 to `least` in `total` steps, then `least`. */
export const linear =
  (total: number, least = 0): Schedule =>
  (step) =>
    1 + (least - 1) * Math.min(1, step / total);
/** Straight from `start` to 1 in the first `steps`, times what `then` gives from there on. */
export const warmup =
  (steps: number, then: Schedule = constant(), start = 0): Schedule =>
  (step) =>
    step < steps ? start + ((1 - start) * step) / steps : then(step - steps);

function between(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
}
