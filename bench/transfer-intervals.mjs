// Intervals of accuracies over seeds and test rows, for the bench of transfer.
import { random } from "graft-ml";

const REPLICATES = 2000;

/** Mean accuracy of `right` [seeds][rows]; the interval draws seeds and rows anew, both with replacement. */
export function meanInterval(right) {
  return intervalOf(right.map((rows) => rows.map(Number)));
}

/** The same of the difference of two ways on the same seeds and rows. */
export function pairedInterval(ours, peer) {
  return intervalOf(ours.map((rows, seed) => rows.map((one, i) => Number(one) - Number(peer[seed][i]))));
}

function intervalOf(values) {
  const [seeds, rows] = [values.length, values[0].length];
  const each = values.map((one) => one.reduce((sum, value) => sum + value, 0) / rows);
  const source = random(0).fork("intervals");
  const drawn = Array.from({ length: REPLICATES }, () => {
    const times = new Int32Array(rows);
    for (let i = 0; i < rows; i++) times[source.integer(rows)]++;
    let sum = 0;
    for (let s = 0; s < seeds; s++) {
      const one = values[source.integer(seeds)];
      for (let i = 0; i < rows; i++) sum += times[i] * one[i];
    }
    return sum / seeds / rows;
  }).sort((a, b) => a - b);
  const at = (share) => drawn[Math.round(share * (REPLICATES - 1))];
  return { mean: each.reduce((sum, one) => sum + one, 0) / seeds, interval: [at(0.025), at(0.975)], each };
}
