import { join } from "node:path";
import { InputError } from "@graft-ml/core";
import { readRunJson, runFiles, writeWhole } from "../runs/folder.ts";
import { renderTaggingReport, type TaggingReport } from "./report.ts";

/** Writes RUN/report.html of a tagger again from RUN/report.json; returns its path. */
export async function writeTaggingReport(folder: string): Promise<string> {
  const data = (await readRunJson(folder, runFiles.reportData)) as TaggingReport | null;
  if (data?.version !== 1)
    throw new InputError(
      `${join(folder, runFiles.reportData)} has version ${JSON.stringify(data?.version)}, but 1 is what this Graft reads; train again`,
    );
  const path = join(folder, runFiles.report);
  await writeWhole(path, renderTaggingReport(data));
  return path;
}
