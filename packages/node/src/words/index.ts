export { readVectorsFile, writeVectorsFile } from "./vector-files.ts";
