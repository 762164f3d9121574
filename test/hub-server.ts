import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a hub does wrong with one answer; each fault is used up by the answer it spoils. */
export type Fault =
  /** Closes the connection after so many bytes of the body. */
  | { kind: "cut"; after: number }
  /** Inverts the byte at this place of the file. */
  | { kind: "flip"; at: number }
  /** Claims another length than it sends. */
  | { kind: "length"; claim: number }
  /** Sends bytes beyond the end. */
  | { kind: "more"; bytes: number }
  | { kind: "status"; status: number; headers?: Record<string, string> }
  | { kind: "etag"; etag: string }
  /** Never answers. */
  | { kind: "silence" }
  /** Falls silent after so many bytes. */
  | { kind: "stall"; after: number }
  /** Ignores or misreads the Range header. */
  | { kind: "no-range" }
  | { kind: "wrong-range" }
  | { kind: "redirect"; to: string };

export interface Repository {
  commit: string;
  /** Branches and tags by name. */
  refs: Record<string, string>;
  files: Record<string, { content: Buffer; lfs: boolean }>;
  token?: string;
}

export interface Request {
  path: string;
  range: string | null;
  authorization: string | null;
  host: "hub" | "store";
}

/** A hub on 127.0.0.1 with a store on another origin, to which files in large-file storage redirect. */
export async function startHub(repositories: Record<string, Repository>) {
  const requests: Request[] = [];
  const faults: { path: string; fault: Fault }[] = [];
  let pieceDelayMs = 0;
  const take = (path: string) => {
    const index = faults.findIndex((entry) => path.endsWith(entry.path));
    return index < 0 ? null : faults.splice(index, 1)[0]!.fault;
  };

  const store = createServer((request, response) => {
    note(request, "store");
    const [name, path] = split(request.url!);
    serve(request, response, repositories[name]!.files[path]!.content, take(path), {}, pieceDelayMs);
  });
  const hub = createServer((request, response) => {
    note(request, "hub");
    const url = new URL(request.url!, "http://hub");
    const api = /^\/api\/models\/(.+?)\/(revision|tree)\/([^/]+)$/.exec(url.pathname);
    const file = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const repository = repositories[(api ?? file)?.[1] ?? ""];
    const fault = api === null ? null : take(url.pathname);
    if (fault?.kind === "silence") return;
    if (fault?.kind === "redirect") return void response.writeHead(307, { location: fault.to }).end();
    if (fault?.kind === "status") return void response.writeHead(fault.status, fault.headers).end("no");
    if (repository === undefined) {
      return void response
        .writeHead(401, { "x-error-code": "RepoNotFound" })
        .end("Invalid username or password.");
    }
    if (repository.token !== undefined && request.headers.authorization !== `Bearer ${repository.token}`) {
      return void response.writeHead(401).end();
    }
    const revision = decodeURIComponent((api ?? file)![api === null ? 2 : 3]!);
    const commit = repository.refs[revision] ?? (revision === repository.commit ? revision : undefined);
    if (commit === undefined) {
      return void response.writeHead(404, { "x-error-code": "RevisionNotFound" }).end();
    }
    if (api !== null)
      return api[2] === "revision" ? info(response, repository, commit) : tree(response, repository);
    resolve(request, response, repository, file![1]!, decodeURIComponent(file![3]!), commit);
  });

  function note(request: IncomingMessage, host: "hub" | "store") {
    requests.push({
      path: decodeURIComponent(request.url!),
      range: request.headers.range ?? null,
      authorization: request.headers.authorization ?? null,
      host,
    });
  }
  function resolve(
    request: IncomingMessage,
    response: ServerResponse,
    repository: Repository,
    name: string,
    path: string,
    commit: string,
  ) {
    const entry = repository.files[path];
    if (entry === undefined) return void response.writeHead(404, { "x-error-code": "EntryNotFound" }).end();
    const headers: Record<string, string> = { "x-repo-commit": commit, etag: `"${hashOf(entry)}"` };
    const fault = entry.lfs ? takeHere(path) : take(path);
    if (fault?.kind === "redirect") return void response.writeHead(302, { location: fault.to }).end();
    if (fault?.kind === "etag") headers.etag = `"${fault.etag}"`;
    if (!entry.lfs) return serve(request, response, entry.content, fault, headers, pieceDelayMs);
    headers["x-linked-etag"] = headers.etag!;
    headers["x-linked-size"] = String(entry.content.length);
    headers.etag = '"not-a-hash"';
    headers.location = `${address(store)}/${name}/-/${path}?signature=1`;
    response.writeHead(302, headers).end();
  }
  /** Of a stored file's faults, the hub itself has only these. */
  function takeHere(path: string) {
    const next = faults.find((entry) => path.endsWith(entry.path))?.fault;
    return next?.kind === "etag" || next?.kind === "redirect" ? take(path) : null;
  }

  await Promise.all([listen(hub), listen(store)]);
  return {
    endpoint: address(hub),
    storeEndpoint: address(store),
    requests,
    /** Spoils the next answers for a path (or the end of one). */
    spoil(path: string, ...list: Fault[]) {
      for (const fault of list) faults.push({ path, fault });
    },
    /** Slows bodies down: a pause before each piece of 16 KiB. */
    slow(ms: number) {
      pieceDelayMs = ms;
    },
    async close() {
      await Promise.all(
        [hub, store].map((server) => {
          server.closeAllConnections();
          return new Promise((done) => server.close(done));
        }),
      );
    },
  };
}

/** The hash the hub knows a file by. */
export function hashOf({ content, lfs }: { content: Buffer; lfs: boolean }): string {
  return lfs
    ? createHash("sha256").update(content).digest("hex")
    : createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

function info(response: ServerResponse, repository: Repository, commit: string): void {
  const siblings = Object.keys(repository.files).map((rfilename) => ({ rfilename }));
  json(response, { id: "x/y", sha: commit, siblings });
}

function tree(response: ServerResponse, repository: Repository): void {
  const files = Object.entries(repository.files).map(([path, entry]) => ({
    type: "file",
    path,
    size: entry.content.length,
    oid: entry.lfs ? createHash("sha1").update(path).digest("hex") : hashOf(entry),
    ...(entry.lfs ? { lfs: { oid: hashOf(entry), size: entry.content.length, pointerSize: 134 } } : {}),
  }));
  json(response, [{ type: "directory", path: "onnx", size: 0, oid: "0".repeat(40) }, ...files]);
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  fault: Fault | null,
  headers: Record<string, string>,
  delayMs: number,
): Promise<void> {
  if (fault?.kind === "silence") return;
  if (fault?.kind === "status") return void response.writeHead(fault.status, fault.headers).end("no");
  let from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (fault?.kind === "no-range") from = 0;
  if (from > 0 && from >= content.length) return void response.writeHead(416).end();
  const sent = from > 0 && fault?.kind === "wrong-range" ? from - 1 : from;
  let body = Buffer.from(content.subarray(sent));
  if (fault?.kind === "flip" && fault.at >= from) body[fault.at - from]! ^= 0xff;
  if (fault?.kind === "more") body = Buffer.concat([body, Buffer.alloc(fault.bytes, 7)]);
  const length = fault?.kind === "length" ? fault.claim : body.length;
  const range = sent > 0 ? { "content-range": `bytes ${sent}-${content.length - 1}/${content.length}` } : {};
  response.writeHead(sent > 0 ? 206 : 200, { ...headers, ...range, "content-length": length });
  response.flushHeaders();
  if (request.method === "HEAD") return void response.end();
  const stop = fault?.kind === "cut" || fault?.kind === "stall" ? fault.after : Math.min(body.length, length);
  if (delayMs === 0) {
    await new Promise((done) => response.write(body.subarray(0, stop), done));
  }
  for (let at = 0; delayMs > 0 && at < stop; at += 16384) {
    await new Promise((done) => setTimeout(done, delayMs));
    if (response.destroyed) return;
    response.write(body.subarray(at, Math.min(stop, at + 16384)));
  }
  if (fault?.kind === "stall") return;
  // Lets what was written leave before the connection breaks.
  if (fault?.kind === "cut" || length > body.length) setTimeout(() => response.destroy(), 30);
  else response.end();
}

function split(url: string): [string, string] {
  const [name, path] = new URL(url, "http://store").pathname.slice(1).split("/-/");
  return [decodeURIComponent(name!), decodeURIComponent(path!)];
}

async function listen(server: Server): Promise<void> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
}

function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
