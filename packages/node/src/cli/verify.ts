import { type Replay, tasksOf, verifyRun } from "../runs/index.ts";
import { ortRuntime } from "../runtime/index.ts";
import { type TaggingReplay, taskOf } from "../tagging/index.ts";
import { command } from "./command.ts";
import { runtimeFlags, runtimeSettings, taskFlag } from "./flags.ts";
import { verifyTagged } from "./tagging.ts";

export const verify = command({
  about:
    "Replays the golden inputs of RUN through decoding, preprocessing and the network; exit code 1 where anything drifted.",
  operands: ["RUN"],
  options: { ...taskFlag, ...runtimeFlags },
  example: "graft verify runs/photos",
  async run({ operands, settings, terminal }) {
    const [folder] = operands as [string];
    const runtime = await ortRuntime({ ...runtimeSettings(settings), throughput: true });
    try {
      const names = settings.task === null ? ((await tasksOf(folder)) ?? [null]) : [settings.task];
      const replays: (Replay | TaggingReplay)[] = [];
      for (const task of names) {
        if ((await taskOf(folder, task)) === "token-classification") {
          replays.push(await verifyTagged(folder, task, runtime, terminal));
          continue;
        }
        const replay = await verifyRun(folder, { runtime, task });
        replays.push(replay);
        const label = task === null ? "" : `${task}: `;
        for (const { where, difference, expected, got } of replay.drifted.slice(0, 5))
          terminal.print(
            `${label}${where}: differs by ${difference.toPrecision(3)}; expected ${shown(expected)}, got ${shown(got)}`,
          );
        terminal.print(`${label}${sentence(replay)}`);
      }
      const drifted = replays.flatMap((one): readonly object[] => one.drifted);
      return {
        ok: drifted.length === 0,
        rows: replays.reduce((sum, { rows }) => sum + rows, 0),
        largestDifference: Math.max(...replays.map(({ largestDifference }) => largestDifference)),
        tolerance: Math.max(...replays.map(({ tolerance }) => tolerance)),
        drifted,
        exitCode: drifted.length === 0 ? 0 : 1,
      };
    } finally {
      await runtime.close();
    }
  },
});

function sentence({ rows, largestDifference, tolerance, drifted }: Replay): string {
  return drifted.length === 0
    ? `${rows} golden inputs give what they gave in training (largest difference ${largestDifference.toPrecision(2)}, ${tolerance} passes)`
    : `${drifted.length} of ${rows} golden inputs drifted beyond ${tolerance}: decoding, preprocessing or the network is no longer the one that was trained`;
}

function shown(values: readonly number[]): string {
  return `[${values
    .slice(0, 6)
    .map((value) => value.toPrecision(4))
    .join(", ")}${values.length > 6 ? ", …" : ""}]`;
}
