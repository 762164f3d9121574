// Two questions about the same messages over one network, and what company was worth to each.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { multitaskRun, openRun, ortRuntime } from "graft-ml";

const [output = "runs/tasks"] = process.argv.slice(2);
const data = fileURLToPath(new URL("support/messages.csv", import.meta.url));
const runtime = await ortRuntime();

// What is in TASKS.json: the network that all share, and the tasks by name.
const tasks = {
  trunk: { arch: "text-cnn", options: { width: 32, filters: 24 }, maxLength: 32 },
  sampling: "together", // a batch of each task in every step
  training: { epochs: 10, batchSize: 16, learningRate: 0.004 },
  tasks: {
    intent: { data },
    // The same rows with coarser labels: does the message belong to the money, the goods or the account?
    desk: {
      data,
      relabel: {
        billing: "money",
        refund: "money",
        cancel: "account",
        delivery: "goods",
        product: "goods",
        technical: "goods",
      },
    },
  },
};
mkdirSync(`${output}-settings`, { recursive: true });
const path = `${output}-settings/tasks.json`;
writeFileSync(path, JSON.stringify(tasks, null, 2));

// Each task is trained alone, too, with the same care; test rows took part in no choice.
const { metrics } = await multitaskRun(path, { output, runtime });
const percent = (share) => `${(100 * share).toFixed(1)} %`;
for (const [name, { joint, alone, gain, majority }] of Object.entries(metrics.tasks)) {
  const range = gain.interval.map(percent).join(" to ");
  console.log(
    `${name}: joint ${percent(joint)}, alone ${percent(alone)}, always the commonest ${percent(majority)}`,
  );
  console.log(`  joint − alone ${percent(gain.gain)} (95 % interval ${range}): ${gain.verdict}`);
}

// One file answers both.
for (const task of Object.keys(metrics.tasks)) {
  const run = await openRun(output, { runtime, task });
  const input = { kind: "text", text: "Please send my money back, the parcel never came" };
  const row = { where: "here", input, label: null, split: null, group: null, weight: 1 };
  const { predictions } = await run.predict([row]);
  console.log(`${task}: ${predictions[0].label} (${percent(predictions[0].probability)})`);
  await run.close();
}
await runtime.close();
