export * from "@graft-ml/core";
export * from "./backbones/index.ts";
export * from "./hub/index.ts";
