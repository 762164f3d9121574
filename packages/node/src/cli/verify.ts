import { verifyRun } from "../runs/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { taskOf } from "../tagging/index.ts";
import { command } from "./command.ts";
import { runtimeFlags, runtimeSettings } from "./flags.ts";
import { verifyTagged } from "./tagging.ts";

export const verify = command({
  about:
    "Replays the golden inputs of RUN through decoding, preprocessing and the network; exit code 1 where anything drifted.",
  operands: ["RUN"],
  options: runtimeFlags,
  example: "graft verify runs/photos",
  async run({ operands, settings, terminal }) {
    const [folder] = operands as [string];
    if ((await taskOf(folder)) === "token-classification")
      return await verifyTagged(folder, settings, terminal);
    const runtime = await ortRuntime({ ...runtimeSettings(settings), throughput: true });
    try {
      const { rows, largestDifference, tolerance, drifted } = await verifyRun(folder, { runtime });
      for (const { where, difference, expected, got } of drifted.slice(0, 5))
        terminal.print(
          `${where}: differs by ${difference.toPrecision(3)}; expected ${shown(expected)}, got ${shown(got)}`,
        );
      terminal.print(
        drifted.length === 0
          ? `${rows} golden inputs give what they gave in training (largest difference ${largestDifference.toPrecision(2)}, ${tolerance} passes)`
          : `${drifted.length} of ${rows} golden inputs drifted beyond ${tolerance}: decoding, preprocessing or the network is no longer the one that was trained`,
      );
      return {
        ok: drifted.length === 0,
        rows,
        largestDifference,
        tolerance,
        drifted,
        exitCode: drifted.length === 0 ? 0 : 1,
      };
    } finally {
      await runtime.close();
    }
  },
});

function shown(values: readonly number[]): string {
  return `[${values
    .slice(0, 6)
    .map((value) => value.toPrecision(4))
    .join(", ")}${values.length > 6 ? ", …" : ""}]`;
}
