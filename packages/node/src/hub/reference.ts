import { InputError } from "@graft-ml/core";

/** A repository of models at a revision, and one of its files where the reference names it. */
export interface HubReference {
  /** "owner/name" */
  readonly repo: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** Path of a file inside the repository, null where the choice is left open. */
  readonly file: string | null;
}

export const DEFAULT_REVISION = "main";

/** Parses `hf:owner/name[@revision][:path]`; throws an InputError for what cannot be one. */
export function parseHubReference(spec: string): HubReference {
  const parts = /^hf:(?:\/\/)?([^@:]+)(?:@([^:]+))?(?::(.+))?$/.exec(spec);
  if (parts === null)
    refuse(spec, "it must read hf:owner/name, hf:owner/name@revision or hf:owner/name:file");
  const [, repo, revision = DEFAULT_REVISION, file = null] = parts as unknown as [
    string,
    string,
    string?,
    string?,
  ];
  // The hub's own rule: names of letters, digits, "-", "_" and "."; "--" separates owner and name on disk.
  const named = /^[A-Za-z0-9_][\w.-]*(\/[A-Za-z0-9_][\w.-]*)?$/.test(repo) && repo.length <= 96;
  if (!named || /--|\.\.|[-.](\/|$)|\.git$/.test(repo)) {
    refuse(spec, `${JSON.stringify(repo)} is no repository name (letters, digits, - _ . and one slash)`);
  }
  if (!isInside(revision) || /[\s~^?*[\]]/.test(revision)) {
    refuse(spec, `${JSON.stringify(revision)} is no branch, tag or commit`);
  }
  if (file !== null) requireInside(spec, file);
  return { repo, revision, file };
}

/** Whether text is a full commit hash: such a revision never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** Throws where a path of a repository would leave its folder, or could not be written on every platform. */
export function requireInside(source: string, path: string): void {
  if (!isInside(path)) refuse(source, `the file name ${JSON.stringify(path)} leaves the repository's folder`);
}

function isInside(path: string): boolean {
  // No control characters, no backslash and no colon: they mean other things on Windows.
  if (path === "" || path.length > 1000 || /[\\:\p{Cc}]/u.test(path)) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function refuse(spec: string, why: string): never {
  throw new InputError(`${spec}: ${why}`);
}
