import { join } from "node:path";
import { InputError } from "@graft-ml/core";
import { type MultitaskReport, renderMultitask } from "../multitask/page.ts";
import { type PretrainingPage, renderPretraining } from "../pretrain/page.ts";
import { type ReportData, renderReport } from "../report/index.ts";
import { readRunJson, runFiles, writeWhole } from "./folder.ts";

/** Writes RUN/report.html again from RUN/report.json; returns its path. */
export async function writeReport(folder: string): Promise<string> {
  const data = (await readRunJson(folder, runFiles.reportData)) as
    | ReportData
    | PretrainingPage
    | MultitaskReport
    | null;
  if (data?.version !== 1)
    throw new InputError(
      `${join(folder, runFiles.reportData)} has version ${JSON.stringify(data?.version)}, but 1 is what this Graft reads; train again`,
    );
  const path = join(folder, runFiles.report);
  await writeWhole(path, pageOf(data));
  return path;
}

function pageOf(data: ReportData | PretrainingPage | MultitaskReport): string {
  if (!("kind" in data)) return renderReport(data);
  return data.kind === "multi-task" ? renderMultitask(data) : renderPretraining(data);
}
