/** The options of heads that are linear in the features. */
export const linearOptions = {
  strength: {
    type: "number",
    default: null,
    min: 1e-12,
    max: 1e12,
    about: "C, the weight of the data against ½‖W‖² (default: by inner cross-validation)",
  },
  normalise: { type: "boolean", default: true, about: "divide each row of features by its length first" },
  tolerance: {
    type: "number",
    default: 1e-6,
    min: 1e-14,
    max: 1,
    about: "distance from the least objective, relative to it, that ends the fit",
  },
} as const;
