export { DEFAULT_REVISION, type HubReference, isCommit, parseHubReference } from "./reference.ts";
export { type HubSettings, hubSettings } from "./settings.ts";
export { openSnapshot, type Snapshot } from "./snapshot.ts";
