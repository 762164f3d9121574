export * from "@graft-ml/core";
