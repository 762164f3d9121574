import { describe, expect, test } from "vitest";
import { tasksFile } from "./tasks-file.ts";

const path = "/somewhere/tasks.json";
const usual = {
  trunk: { arch: "text-cnn", options: { width: 16 } },
  tasks: {
    topic: { data: "topics.csv", text: "message", lossWeight: 2 },
    words: { kind: "mlm", masked: 0.2 },
  },
};

describe("TASKS.json", () => {
  test("is understood with its defaults; paths are relative to the file", () => {
    const { tasks, trunk, sampling, weighting, training } = tasksFile(usual, path);
    expect(trunk).toMatchObject({ arch: "text-cnn", backbone: null, options: { width: 16 } });
    expect([sampling.name, weighting.name, training.batchSize]).toEqual(["proportional", "fixed", 32]);
    expect(tasks.map(({ name, kind, data }) => [name, kind, data])).toEqual([
      ["topic", "classification", "/somewhere/topics.csv"],
      ["words", "mlm", null],
    ]);
    expect(tasks[0]!.reading.text).toBe("message");
    expect(tasks[0]!.common.lossWeight).toBe(2);
    expect(tasks[1]!.settings).toEqual({ masked: 0.2, words: 1000 });
  });

  test("an architecture of texts may begin with word vectors, whose path is relative to the file", () => {
    const trunkOf = (backbone: string, arch = "text-cnn") =>
      tasksFile({ ...usual, trunk: { arch, backbone } }, path).trunk.backbone;
    expect(trunkOf("vectors:words.bin")).toBe("vectors:/somewhere/words.bin");
    expect(trunkOf("builtin:text", "transformer-small")).toBe("builtin:text");
    expect(() => trunkOf("builtin:text", "resnet-small")).toThrow(/only a network of texts/);
  });

  test("takes weightings with settings; those that compare all tasks have them together", () => {
    const read = tasksFile({ ...usual, weighting: { name: "gradnorm", alpha: 1 } }, path);
    expect(read.weighting).toEqual({ name: "gradnorm", settings: { alpha: 1 } });
    expect(read.sampling.name).toBe("together");
  });

  const task = (fields: object) => ({ ...usual, tasks: { topic: fields } });
  test.each<[string, object, RegExp]>([
    ["no trunk", { tasks: usual.tasks }, /tasks\.json: trunk is missing; as in/],
    [
      "both trunks",
      { ...usual, trunk: { arch: "text-cnn", backbone: "x" } },
      /trunk: either arch or backbone was expected, got both/,
    ],
    ["an unknown architecture", { ...usual, trunk: { arch: "vgg" } }, /architecture "vgg": there is none/],
    [
      "an option it has not",
      { ...usual, trunk: { arch: "text-cnn", options: { heads: 2 } } },
      /trunk: options: there is no setting "heads"/,
    ],
    ["no task", { ...usual, tasks: {} }, /tasks has 0 entries/],
    ["a list of tasks", { ...usual, tasks: [] }, /tasks must be an object of fields, got \[\]/],
    [
      "a field too many",
      { ...usual, batchSize: 3 },
      /there is no field "batchSize"; there are trunk, sampling/,
    ],
    [
      "a name that is no file name",
      { ...usual, tasks: { "a/b": {} } },
      /task "a\/b": a task's name has letters/,
    ],
    [
      "an unknown kind",
      task({ kind: "parsing", data: "x" }),
      /task "topic": kind "parsing" is none of classification, keep, mlm, tagging, word-frequency/,
    ],
    ["no data", task({}), /task "topic": data is missing/],
    [
      "data of a wrong type",
      task({ data: 3 }),
      /task "topic": data must be the path of a file or folder, got 3/,
    ],
    ["a field of another kind", task({ data: "x", masked: 0.1 }), /task "topic": there is no field "masked"/],
    [
      "a value out of range",
      task({ data: "x", lossWeight: -1 }),
      /task "topic": lossWeight must be from 0 to 1000000, got -1/,
    ],
    [
      "a class without a name",
      task({ data: "x", relabel: { a: 1 } }),
      /task "topic": relabel: "a" must become a class name, got 1/,
    ],
    [
      "nothing with labels",
      { ...usual, tasks: { words: { kind: "mlm" } } },
      /none of the tasks words has labels/,
    ],
    ["an unknown weighting", { ...usual, weighting: "mgda" }, /weighting: "mgda" is none of dwa, famo/],
    [
      "a setting the weighting has not",
      { ...usual, weighting: { name: "dwa", alpha: 1 } },
      /weighting dwa: there is no setting "alpha"/,
    ],
    [
      "an unknown sampling",
      { ...usual, sampling: "often" },
      /sampling: "often" is none of together, proportional, temperature, uniform, annealed/,
    ],
    [
      "a weighting that needs all tasks",
      { ...usual, weighting: "pcgrad", sampling: "uniform" },
      /weighting "pcgrad" compares all tasks at one point, so sampling must be "together"/,
    ],
    [
      "a training setting out of range",
      { ...usual, training: { epochs: 0 } },
      /training: epochs must be from 1 to 10000, got 0/,
    ],
  ])("with %s is refused", (_, content, message) => {
    expect(() => tasksFile(content, path)).toThrow(message);
  });
});
