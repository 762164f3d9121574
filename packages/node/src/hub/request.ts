import { InputError } from "@graft-ml/core";
import type { HubSettings } from "./settings.ts";

/** The hub or the way to it failed. `passing` failures may be gone at the next attempt. */
export class HubFailure extends Error {
  override readonly name = "HubFailure";
  readonly status: number | null;
  readonly passing: boolean;
  /** How long the hub asks to wait, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** The hub's own word for what is wrong: RepoNotFound, RevisionNotFound, EntryNotFound, GatedRepo. */
  readonly code: string | null;

  constructor(message: string, facts: Partial<Omit<HubFailure, keyof Error>> = {}) {
    super(message);
    this.status = facts.status ?? null;
    this.passing = facts.passing ?? true;
    this.retryAfterMs = facts.retryAfterMs ?? null;
    this.code = facts.code ?? null;
  }
}

/** An answer of the hub while its connection is open. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Headers of the hub's own answer, before it sent us to another host. */
  readonly first: Headers;
  /** The body's pieces; throws a HubFailure when the connection breaks or falls silent. */
  body(): AsyncGenerator<Uint8Array>;
}

const MAX_REDIRECTS = 8;
const MAX_PAUSE_MS = 30_000;
const MAX_RETRY_AFTER_MS = 120_000;

/**
 * One GET. Redirects are followed by hand, so that the token goes to the endpoint's origin alone; from https to http
 * none is followed. A status other than 200, 206 and those in `accept` is a HubFailure.
 */
export async function get<T>(
  settings: HubSettings,
  address: string,
  headers: Readonly<Record<string, string>>,
  take: (answer: Answer) => Promise<T>,
  accept: readonly number[] = [],
): Promise<T> {
  settings.signal?.throwIfAborted();
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), settings.timeoutMs);
  const stop = () => silence.abort();
  settings.signal?.addEventListener("abort", stop, { once: true });
  try {
    const { response, first } = await follow(settings, address, headers, silence.signal, timer);
    if (![200, 206, ...accept].includes(response.status)) throw await refusal(address, response);
    const answer = {
      status: response.status,
      headers: response.headers,
      first,
      body: () => pieces(response, timer),
    };
    return await take(answer);
  } catch (error) {
    settings.signal?.throwIfAborted();
    if (silence.signal.aborted) {
      throw new HubFailure(`${hostOf(address)} was silent for ${settings.timeoutMs / 1000} s`);
    }
    throw asFailure(error, address);
  } finally {
    clearTimeout(timer);
    settings.signal?.removeEventListener("abort", stop);
    silence.abort(); // lets go of a connection whose body nobody read
  }
}

async function follow(
  settings: HubSettings,
  address: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  timer: NodeJS.Timeout,
): Promise<{ response: Response; first: Headers }> {
  const home = new URL(settings.endpoint).origin;
  let url = new URL(address);
  let first: Headers | null = null;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const token = url.origin === home ? settings.token : null;
    const response = await fetch(url.href, {
      headers: {
        "user-agent": "graft",
        // Sizes and ranges count the file's own bytes.
        "accept-encoding": "identity",
        ...headers,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      redirect: "manual",
      signal,
    });
    timer.refresh();
    // The hub's headers about the file stand on its last answer of its own.
    if (url.origin === home || first === null) first = response.headers;
    const location = response.headers.get("location");
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return { response, first };
    await response.body?.cancel();
    if (!URL.canParse(location, url.href)) throw redirected(address, location, "which is no address");
    const next = new URL(location, url);
    if (next.protocol !== "https:" && next.protocol !== url.protocol) {
      throw redirected(address, location, "which is not https");
    }
    url = next;
  }
  throw redirected(address, url.href, `after ${MAX_REDIRECTS} redirects, and so on`);
}

async function* pieces(response: Response, timer: NodeJS.Timeout): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  for await (const piece of response.body) {
    timer.refresh();
    yield piece as Uint8Array;
  }
}

/** Runs `attempt` until it succeeds, waiting longer after each passing failure. */
export async function retrying<T>(settings: HubSettings, attempt: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof HubFailure) || !error.passing || failures >= settings.attempts) throw error;
      await pause(settings, failures, error);
    }
  }
}

/** Waits before attempt `failures` + 1; ends at once, with the signal's reason, where the work is called off. */
export async function pause(settings: HubSettings, failures: number, failure: HubFailure): Promise<void> {
  const asked = Math.min(failure.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  await sleep(
    Math.max(asked, Math.min(MAX_PAUSE_MS, settings.pauseMs * 2 ** (failures - 1))),
    settings.signal,
  );
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason where it is called off. */
export async function sleep(ms: number, signal: AbortSignal | null): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
  signal?.throwIfAborted();
}

/** The whole body as JSON; at most `limit` bytes of it. */
export async function readJson(answer: Answer, address: string, limit: number): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of answer.body()) {
    size += piece.length;
    if (size > limit)
      throw new HubFailure(`${address} answered with more than ${limit} bytes`, { passing: false });
    parts.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    throw new HubFailure(`${address} did not answer with JSON; is HF_ENDPOINT a hub, and no login page?`, {
      passing: false,
    });
  }
}

async function refusal(address: string, response: Response): Promise<HubFailure> {
  await response.body?.cancel();
  const { status, headers } = response;
  const after = headers.get("retry-after");
  const seconds = after === null ? Number.NaN : /^\d+$/.test(after) ? Number(after) : wait(after);
  const said = headers.get("x-error-message");
  return new HubFailure(
    `${hostOf(address)} answered ${status}${said === null ? "" : ` (${said.slice(0, 200)})`}`,
    {
      status,
      passing: status === 408 || status === 429 || status >= 500,
      retryAfterMs: Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : null,
      code: headers.get("x-error-code"),
    },
  );
}

/** Seconds until an HTTP date. */
function wait(date: string): number {
  return (Date.parse(date) - Date.now()) / 1000;
}

function redirected(address: string, location: string, why: string): HubFailure {
  return new HubFailure(`${hostOf(address)} redirects to ${location.slice(0, 200)}, ${why}`, {
    passing: false,
  });
}

function asFailure(error: unknown, address: string): Error {
  if (error instanceof HubFailure || error instanceof InputError) return error;
  // So fetch reports what happened to the connection; every other error is our own.
  if (error instanceof TypeError && /^(fetch failed|terminated)$/.test(error.message)) {
    const cause = error.cause as { code?: string; message?: string } | undefined;
    return new HubFailure(`${hostOf(address)}: ${cause?.code ?? cause?.message ?? error.message}`);
  }
  return error as Error;
}

function hostOf(address: string): string {
  return new URL(address).host;
}
