import { homedir } from "node:os";
import { join, resolve } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder of Graft's cache: GRAFT_CACHE, or `graft` in the platform's folder for caches (XDG_CACHE_HOME or
 * ~/.cache, ~/Library/Caches on macOS, %LOCALAPPDATA% on Windows). It may be deleted at any time.
 */
export function cacheFolder(
  environment: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const given = environment.GRAFT_CACHE;
  if (given !== undefined && given !== "") return resolve(given);
  if (platform === "darwin") return join(homedir(), "Library", "Caches", "graft");
  if (platform === "win32")
    return join(environment.LOCALAPPDATA ?? join(homedir(), "AppData", "Local"), "graft", "cache");
  return join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "graft");
}

/** The folder of features inside it, one folder a network, layer and preprocessing. */
export function featureCache(environment: Environment = process.env): string {
  return join(cacheFolder(environment), "features");
}
