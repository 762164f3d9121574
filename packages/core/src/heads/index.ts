export { centroid } from "./centroid.ts";
export { gp } from "./gp.ts";
export { knn } from "./knn.ts";
export { linearSvm } from "./linear-svm.ts";
export { logistic } from "./logistic.ts";
export { rbfSvm } from "./rbf-svm.ts";
export { ridge } from "./ridge.ts";
