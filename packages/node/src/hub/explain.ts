import { InputError } from "@graft-ml/core";
import type { HubReference } from "./reference.ts";
import type { HubFailure } from "./request.ts";
import type { HubSettings } from "./settings.ts";

/** What a failure of the hub means for the person who asked for a repository, and what to do. */
export function explain(failure: HubFailure, reference: HubReference, settings: HubSettings): InputError {
  const { repo, revision } = reference;
  return new InputError(`hf:${repo}: ${reason(failure, repo, revision, settings)}`);
}

function reason(failure: HubFailure, repo: string, revision: string, settings: HubSettings): string {
  const page = `${settings.endpoint}/${repo}`;
  const { status, code, message } = failure;
  if (code === "GatedRepo") return `its owner asks for consent first: accept it at ${page} and set HF_TOKEN`;
  // Without a token the hub answers 401 for what does not exist, too, so as not to tell private names.
  if (status === 401 || status === 403) {
    return settings.token === null
      ? `${message}: there is no such repository, or it is private; check the name at ${page}, or set HF_TOKEN`
      : `${message}: there is no such repository, or the token in HF_TOKEN may not read it; check both at ${page}`;
  }
  if (code === "RevisionNotFound")
    return `there is no branch, tag or commit ${revision}; see ${page}/commits/main`;
  if (code === "EntryNotFound")
    return `${message}: the hub lists a file that it does not have; try again later`;
  if (status === 404)
    return `${message}: there is no such repository or revision (${revision}); check ${page}`;
  if (status === 429) return `${message}: too many requests from here; wait some minutes, or set HF_TOKEN`;
  if (failure.passing) {
    return `${message}; after ${settings.attempts} attempts given up. What arrived is kept: the same command goes on from there. Where the hub cannot be reached, set HF_ENDPOINT to a mirror or pass a folder`;
  }
  return message;
}
