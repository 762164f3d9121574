import { tasksOf, writeReport } from "../runs/index.ts";
import { taskOf, writeTaggingReport } from "../tagging/index.ts";
import { command } from "./command.ts";

export const report = command({
  about: "Writes RUN/report.html again, from what training stored in RUN/report.json.",
  operands: ["RUN"],
  options: {},
  example: "graft report runs/photos",
  async run({ operands, terminal }) {
    const [folder] = operands as [string];
    const isTagger = (await tasksOf(folder)) === null && (await taskOf(folder)) === "token-classification";
    const path = isTagger ? await writeTaggingReport(folder) : await writeReport(folder);
    terminal.print(path);
    return { report: path };
  },
});
