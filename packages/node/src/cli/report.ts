import { writeReport } from "../runs/index.ts";
import { command } from "./command.ts";

export const report = command({
  about: "Writes RUN/report.html again, from what training stored in RUN/report.json.",
  operands: ["RUN"],
  options: {},
  example: "graft report runs/photos",
  async run({ operands, terminal }) {
    const path = await writeReport(operands[0]!);
    terminal.print(path);
    return { report: path };
  },
});
