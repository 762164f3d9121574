import { expect, test } from "vitest";
import { repeatedKey } from "./repeated-key.ts";

test("a name that an object has twice is found with those above it", () => {
  expect(repeatedKey('{"tasks": {"pos": {"data": "a"}, "pos" : {"data": "b"}}}')).toBe("tasks.pos");
  expect(repeatedKey('{"a": 1, "b": [{"a": 2}, {"a": 3, "\\u0061": 4}]}')).toBe("b.a");
});

test("equal names of several objects, and names inside of texts, are none", () => {
  expect(repeatedKey('{"a": {"x": 1}, "b": {"x": "x", "y": ["x", "x"]}, "c": "\\"a\\": {[", "d": {}}')).toBe(
    null,
  );
  expect(repeatedKey("[]")).toBe(null);
});
