import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { InputError } from "@graft-ml/core";

/** Where the hub is, where its cache lies, and how patient to be. `hubSettings` fills it from the environment. */
export interface HubSettings {
  /** Address of the hub without a slash at the end. */
  readonly endpoint: string;
  /** Folder that holds `models--owner--name`. */
  readonly cache: string;
  /** Sent to the endpoint's own host and to no other. */
  readonly token: string | null;
  /** Nothing is asked of the network. */
  readonly offline: boolean;
  /** Asks the hub which commit a branch is at, although the cache knows an older answer. */
  readonly refresh: boolean;
  /** Silence, in milliseconds, after which a connection counts as broken. */
  readonly timeoutMs: number;
  /** How often a request may fail in a row; a download that moved on starts counting anew. */
  readonly attempts: number;
  /** Pause after the first failure in milliseconds; it doubles with each further one, up to 30 s. */
  readonly pauseMs: number;
  /** Largest file that is fetched, in bytes. */
  readonly maxBytes: number;
  /** Snapshots point into `blobs/`; where a platform cannot, the file itself moves into the snapshot. */
  readonly symlinks: boolean;
  readonly signal: AbortSignal | null;
  /** Called as bytes arrive: what is fetched, bytes there and bytes in all. */
  readonly onProgress: ((task: string, done: number, total: number) => void) | null;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Settings as Python's huggingface_hub reads them from the environment: HF_ENDPOINT, HF_HUB_CACHE, HF_HOME,
 * HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT (seconds), HF_HUB_DISABLE_SYMLINKS.
 * `given` goes before them.
 */
export function hubSettings(
  given: Partial<HubSettings> = {},
  environment: Environment = process.env,
): HubSettings {
  const home = expand(environment.HF_HOME, environment) ?? join(cacheHome(environment), "huggingface");
  const cache = expand(environment.HF_HUB_CACHE ?? environment.HUGGINGFACE_HUB_CACHE, environment);
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const settings: HubSettings = {
    endpoint: environment.HF_ENDPOINT || "https://huggingface.co",
    cache: cache ?? join(home, "hub"),
    token: tokenFrom(environment, home),
    offline: isTrue(environment.HF_HUB_OFFLINE || environment.TRANSFORMERS_OFFLINE),
    refresh: false,
    timeoutMs: seconds(environment, "HF_HUB_DOWNLOAD_TIMEOUT") ?? 10_000,
    attempts: 5,
    pauseMs: 500,
    maxBytes: 4 * 2 ** 30,
    symlinks: !isTrue(environment.HF_HUB_DISABLE_SYMLINKS),
    signal: null,
    onProgress: null,
    ...stated,
  };
  return { ...settings, endpoint: checkedEndpoint(settings.endpoint) };
}

function checkedEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.search !== "") {
    throw new InputError(`HF_ENDPOINT must be an http or https address, got ${JSON.stringify(endpoint)}`);
  }
  return endpoint.replace(/\/+$/, "");
}

function tokenFrom(environment: Environment, home: string): string | null {
  const token = environment.HF_TOKEN || environment.HUGGING_FACE_HUB_TOKEN;
  if (token !== undefined && token.trim() !== "") return token.trim();
  if (isTrue(environment.HF_HUB_DISABLE_IMPLICIT_TOKEN)) return null;
  try {
    const path = expand(environment.HF_TOKEN_PATH, environment) ?? join(home, "token");
    return readFileSync(path, "utf8").trim() || null;
  } catch {
    return null; // not logged in
  }
}

function seconds(environment: Environment, name: string): number | null {
  const text = environment[name];
  if (text === undefined || text === "") return null;
  const value = Number(text);
  if (!(value > 0)) throw new InputError(`${name} must be a number of seconds, got ${JSON.stringify(text)}`);
  return value * 1000;
}

function cacheHome(environment: Environment): string {
  return expand(environment.XDG_CACHE_HOME, environment) ?? join(homedir(), ".cache");
}

/** A path with a leading ~ and $VARIABLES replaced; null where there is none. */
function expand(path: string | undefined, environment: Environment): string | null {
  if (path === undefined || path === "") return null;
  return path
    .replace(/^~(?=$|[\\/])/, homedir())
    .replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, plain) => environment[braced ?? plain] ?? whole);
}

function isTrue(value: string | undefined): boolean {
  return /^(1|on|yes|true)$/i.test(value ?? "");
}
