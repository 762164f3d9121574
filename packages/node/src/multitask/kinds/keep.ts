import {
  convertTags,
  type ExpectedTags,
  expectedTags,
  headOutputs,
  InputError,
  knownTags,
  noTransitions,
  type TaggerSpec,
  type TagHead,
  type Tensor,
  taggerEncoders,
  transitionsOf,
  writeModel,
} from "@graft-ml/core";
import { takingOwn } from "../../runtime/index.ts";
import { tensorsOf } from "../../tagging/network-trunk.ts";
import { openBackbone } from "../../tagging/open-backbone.ts";
import { openTaggerRun } from "../../tagging/open-tagger-run.ts";
import type { Sentence } from "../../tagging/sentences.ts";
import { judgedTags } from "../judged-tags.ts";
import type { KindContext, OpenTask, TaskKind } from "../kind.ts";
import { overSentences } from "../sentence-trunk.ts";
import type { TaskData } from "../task-data.ts";
import { onSentences, type TokenTask, tokenTask } from "../token-task.ts";

/**
 * The tags of the tagger that the trunk comes from, kept while it learns others: its head goes on as a task
 * of its own. Its teachers are the tagger itself, by what it expects of the other tasks' sentences (Li and
 * Hoiem 2016, learning without forgetting, https://arxiv.org/abs/1606.09282), or earlier sentences with their
 * tags.
 */
export const keep: TaskKind = {
  about: "the tags of the tagger that the trunk comes from, kept while the trunk learns others",
  options: {
    by: {
      type: "choice",
      default: "auto",
      of: ["auto", "distil", "replay", "both"],
      about:
        "what it learns from: its own tags of the other tasks' sentences, earlier sentences (data), or both; auto takes both where there are data",
    },
    task: {
      type: "string",
      default: null,
      about: "of a run with several tasks the one to keep; the first that tags where left out",
    },
  },
  labels: "required",
  isTagged: true,
  keepsTags: true,
  modality: "text",
  complete,
  open: opened,
};

/** Held-out and test sentences without tags get those of the earlier tagger. */
async function complete(
  data: TaskData,
  { backbone, runtime }: Parameters<NonNullable<TaskKind["complete"]>>[1],
): Promise<TaskData> {
  const run = await openTaggerRun(folderOf(backbone), { runtime, task: taskOf(data.spec.settings) });
  try {
    const tagged = async (rows: TaskData["test"]) => {
      const found = await run.tag(rows.map(({ tokens }) => tokens!.texts));
      return rows.map((row, i) =>
        row.tokens!.tags ? row : { ...row, tokens: { ...row.tokens!, tags: found[i]!.tags } },
      );
    };
    const classes = Object.values(run.config.id2label);
    return { ...data, classes, held: await tagged(data.held), test: await tagged(data.test) };
  } finally {
    await run.close();
  }
}

function folderOf(backbone: string | null): string {
  if (backbone?.startsWith("run:")) return backbone.slice("run:".length);
  throw new InputError(
    `kind keep keeps the tags of an earlier tagger, so the trunk must be one; name it as "backbone": "run:DIR"`,
  );
}

function taskOf({ task }: Readonly<Record<string, unknown>>): string | null {
  return (task as string | null | undefined) ?? null;
}

async function opened(context: KindContext): Promise<OpenTask> {
  const { name, layer, settings, trained, random, trunk } = context;
  const { source } = await openBackbone(trunk.backbone.spec, taskOf(settings));
  const { spec: before, config } = source!;
  const { sentences, inputs } = overSentences("keep", context);
  const head: TagHead = { name: `heads.${name}`, kind: before.head.kind, tags: before.head.tags };
  const own = before.head.name;
  const tensors = [...tensorsOf(source!.model)].filter(([one]) => one.startsWith(`${own}.`));
  sentences.begin(new Map(tensors.map(([one, tensor]) => [`${head.name}${one.slice(own.length)}`, tensor])));
  const spec: TaggerSpec = { ...before, head, trunk: sentences.trunk };
  const rows = context.rows as readonly Sentence[];
  const expected: ExpectedTags[] = [];
  const at = layer ?? (Object.hasOwn(taggerEncoders, config.layer) ? null : config.layer);
  const task = tokenTask(onSentences(sentences, at, head, random), {
    ...{ head, inputs },
    expected: (row) => expected[row]!,
  });
  const numbers = new Map(spec.tags.map((tag, i) => [tag, i]));
  const untagged: number[] = [];
  for (const [row, { tokens, where }] of rows.slice(0, trained).entries()) {
    if (tokens.tags === null) {
      untagged.push(row);
      continue;
    }
    const tags = spec.scheme === null ? tokens.tags : convertTags(tokens.tags, spec.scheme);
    expected[row] = knownTags(
      Int32Array.from(tags, (tag) => {
        const number = numbers.get(tag);
        if (number === undefined)
          throw new InputError(`${where}: the earlier tagger has no tag "${tag}"; leave the sentence out`);
        return number;
      }),
      head.tags,
    );
  }
  await teach(task, context, head, untagged, expected);
  return {
    ...task,
    ...judgedTags(task, { spec, scheme: config.scheme, unit: sentences.unit, rows, trained }),
    isBefore: true,
  };
}

/** What the earlier tagger, which the task's network is before it is trained, expects of sentences. */
async function teach(
  { model }: TokenTask,
  { inputs, runtime }: KindContext,
  head: TagHead,
  untagged: readonly number[],
  expected: ExpectedTags[],
): Promise<void> {
  if (untagged.length === 0) return;
  const session = takingOwn(await runtime.load(writeModel(model)));
  const { logits, transitions } = headOutputs(head);
  try {
    for (const { rows, count } of inputs.batches!(Int32Array.from(untagged), null)) {
      const feeds = await inputs.feeds(rows, null);
      const results = await session.run(feeds);
      const { data, shape } = results[logits] as Tensor & { readonly data: Float32Array };
      const moves = head.kind === "crf" ? transitionsOf(results[transitions]!) : noTransitions(head.tags);
      const size = shape[1]! * head.tags;
      const lengths = feeds.lengths!.data as Int32Array;
      for (const [i, row] of rows.subarray(0, count).entries())
        expected[row] = expectedTags(
          data.subarray(i * size, i * size + lengths[i]! * head.tags),
          lengths[i]!,
          moves,
        );
    }
  } finally {
    await session.close();
  }
}
