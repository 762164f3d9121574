import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as core from "@graft-ml/core";
import * as module from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";

interface Computed {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly losses: readonly number[];
  readonly trained: Readonly<Record<string, readonly number[]>>;
}
type All = Readonly<Record<"cnn" | "encoder", Computed>>;

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** What the page may load, by the first part of the path. */
const FOLDERS: Readonly<Record<string, string>> = {
  core: file("../packages/core/dist"),
  ort: file("../node_modules/onnxruntime-web/dist"),
  browser: file("browser"),
};
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};
const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const missing = [
  ...(browser ? [] : ["no Chromium is installed"]),
  ...(existsSync(join(FOLDERS.core!, "index.js")) ? [] : ["packages/core is not built (npm run build)"]),
  ...(existsSync(FOLDERS.ort!) ? [] : ["onnxruntime-web is not installed (npm ci)"]),
];
if (missing.length > 0) console.info(`browser: ${missing.join("; ")}, so nothing is computed in a page`);

describe.skipIf(missing.length > 0)("gradients and training in a headless browser, on WebAssembly", () => {
  let inPage: All;
  let here: All;
  beforeAll(async () => {
    const { computeAll } = await import(new URL("browser/networks.js", import.meta.url).href);
    here = await computeAll(core, core.ort(module as never));
    inPage = await fromPage();
  }, 300_000);

  it.each(["cnn", "encoder"] as const)("%s: every gradient is the CPU's within 1e-3", (name) => {
    expect(Object.keys(inPage[name].gradients)).toEqual(Object.keys(here[name].gradients));
    expect(Object.keys(here[name].gradients).length).toBeGreaterThan(5);
    expect(differs([inPage[name].loss], [here[name].loss])).toBeLessThan(1e-3);
    const errors = Object.entries(here[name].gradients).map(([key, expected]) => ({
      key,
      error: differs(inPage[name].gradients[key]!, expected),
    }));
    console.info(`browser: ${name}, largest difference ${Math.max(...errors.map(({ error }) => error))}`);
    expect(errors.filter(({ error }) => !(error < 1e-3))).toEqual([]);
  });

  it.each(["cnn", "encoder"] as const)("%s: trained in the page, the loss falls as it does here", (name) => {
    const { losses, trained } = inPage[name];
    expect(losses).toHaveLength(6);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(differs(losses, here[name].losses)).toBeLessThan(1e-3);
    expect(Object.keys(trained)).toEqual(Object.keys(here[name].trained));
    for (const [key, values] of Object.entries(here[name].trained))
      expect(differs(trained[key]!, values), key).toBeLessThan(1e-2);
  });
});

/** The length of the difference over the length of what is expected. */
function differs(given: readonly number[], expected: readonly number[]): number {
  expect(given).toHaveLength(expected.length);
  expect(given.every(Number.isFinite)).toBe(true);
  const length = (values: readonly number[]) => Math.hypot(...values);
  return length(given.map((value, i) => value - expected[i]!)) / Math.max(length(expected), 1e-6);
}

/** Opens the page in a browser of its own and waits for what it sends back. */
async function fromPage(): Promise<All> {
  const profile = mkdtempSync(join(tmpdir(), "graft-browser-"));
  let server: Server | undefined;
  let child: ChildProcess | undefined;
  try {
    return await new Promise<All>((resolve, reject) => {
      server = createServer((request, response) => {
        if (request.method === "POST") {
          const parts: Buffer[] = [];
          request.on("data", (part: Buffer) => parts.push(part));
          request.on("end", () => {
            response.end();
            const { results, error } = JSON.parse(Buffer.concat(parts).toString());
            if (error) reject(new Error(`in the page: ${error}`));
            else resolve(results);
          });
          return;
        }
        const [, folder = "", ...rest] = normalize(new URL(request.url!, "http://page").pathname).split("/");
        const root = FOLDERS[folder];
        const path = root && join(root, ...rest);
        const type = TYPES[extname(path ?? "")];
        if (!path?.startsWith(root!) || !type || !existsSync(path)) {
          response.writeHead(404).end();
          return;
        }
        response.writeHead(200, { "content-type": type }).end(readFileSync(path));
      });
      server.listen(0, "127.0.0.1", () => {
        const { port } = server!.address() as AddressInfo;
        child = spawn(
          browser!,
          [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            `--user-data-dir=${profile}`,
            `http://127.0.0.1:${port}/browser/page.html`,
          ],
          { stdio: ["ignore", "ignore", "pipe"], detached: true },
        );
        let said = "";
        child.stderr!.on("data", (part: Buffer) => {
          said = (said + part).slice(-4000);
        });
        child.on("error", reject);
        child.on("exit", (code) => reject(new Error(`the browser ended with ${code}:\n${said}`)));
      });
      setTimeout(() => reject(new Error("the page sent nothing back in 4 minutes")), 240_000).unref();
    });
  } finally {
    server?.closeAllConnections();
    server?.close();
    if (child) {
      const ended = child.exitCode === null ? new Promise((done) => child!.once("exit", done)) : null;
      if (child.exitCode === null) process.kill(-child.pid!, "SIGKILL"); // its helpers too
      await ended;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
