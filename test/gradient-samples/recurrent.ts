import { type Samples, states, strings } from "./sample.ts";

/** Recurrent layers. */
export const recurrent: Samples = {
  LSTM: [
    ...["forward", "reverse", "bidirectional"].map((direction) => ({
      x: [
        [4, 2, 3],
        [direction === "bidirectional" ? 2 : 1, 8, 3],
        [direction === "bidirectional" ? 2 : 1, 8, 2],
        [direction === "bidirectional" ? 2 : 1, 16],
      ],
      rest: [{ dtype: "int32" as const, shape: [2], data: Int32Array.of(4, 2) }],
      attributes: { hidden_size: 2, direction },
      dtype: "float32" as const,
      range: [-1, 1] as const,
    })),
    {
      x: [
        [1, 3, 2],
        [2, 8, 2],
        [2, 8, 2],
      ],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [2, 2, 3],
        [1, 8, 3],
        [1, 8, 2],
        [1, 16],
      ],
      rest: [null, states(1, 2, 2), states(1, 2, 2)],
      attributes: { hidden_size: 2, direction: "reverse" },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 12, 2],
        [1, 12, 3],
        [1, 24],
      ],
      attributes: { hidden_size: 3 },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [2, 8, 2],
        [2, 8, 2],
        [2, 16],
      ],
      rest: [{ dtype: "int32", shape: [2], data: Int32Array.of(3, 2) }],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 3,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [4, 2, 3],
        [1, 8, 3],
        [1, 8, 2],
      ],
      rest: [null, { dtype: "int32", shape: [2], data: Int32Array.of(1, 3) }],
      attributes: { hidden_size: 2, direction: "reverse" },
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [4, 3, 2],
        [2, 8, 2],
        [2, 8, 2],
        [2, 16],
      ],
      rest: [{ dtype: "int32", shape: [3], data: Int32Array.of(3, 1, 4) }],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  GRU: [
    {
      x: [
        [3, 2, 2],
        [2, 6, 2],
        [2, 6, 2],
        [2, 12],
      ],
      rest: [{ dtype: "int32", shape: [2], data: Int32Array.of(3, 1) }, states(2, 2, 2)],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 9, 2],
        [1, 9, 3],
        [1, 18],
      ],
      attributes: { hidden_size: 3, linear_before_reset: 1 },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [2, 2, 2],
        [1, 6, 2],
        [1, 6, 2],
      ],
      attributes: { hidden_size: 2, direction: "reverse" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
  ],
  RNN: [
    {
      x: [
        [2, 3, 2],
        [2, 2, 2],
        [2, 2, 2],
      ],
      attributes: { hidden_size: 2, direction: "bidirectional" },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 3, 2],
        [1, 3, 3],
        [1, 6],
      ],
      attributes: { hidden_size: 3, activations: strings("Relu") },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
    {
      x: [
        [3, 2, 2],
        [1, 3, 2],
        [1, 3, 3],
        [1, 6],
      ],
      attributes: { hidden_size: 3 },
      outputs: 2,
      dtype: "float32",
      range: [-1, 1],
    },
  ],
};
