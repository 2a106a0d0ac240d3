// A client of Kantoku for browsers and Node: JSON-RPC 2.0 over fetch, subscriptions over a WebSocket.
// What methods take and answer is in contract.ts, which is made from the types of the server.

import { WITHOUT_NAMESPACE, type ErrorData, type Methods, type Subscriptions } from "./contract.js";

export * from "./contract.js";

/** The codes of errors, as docs/api/README.md has them. */
export const Code = {
  Rejected: 1000,
  Conflict: 1001,
  NotFound: 1002,
  Invalid: 1003,
  Unauthenticated: 1004,
  Forbidden: 1005,
  Limit: 1006,
  Unavailable: 1007,
  UnknownOutcome: 1008,
  PositionNotReached: 1009,
  Archived: 1010,
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  Internal: -32603,
} as const;

/** An answer that is an error. */
export class KantokuError extends Error {
  override readonly name = "KantokuError";

  constructor(
    /** One of {@link Code}. */
    readonly code: number,
    message: string,
    /** The reason, whether it may do better later, the part that is to blame. */
    readonly data: ErrorData | undefined,
  ) {
    super(message);
  }

  /** Whether the same call may do better later. */
  get retryable(): boolean {
    return this.data?.retryable ?? false;
  }
}

/** There was no answer, or none of this protocol. Whether a command was carried out is unknown. */
export class TransportError extends Error {
  override readonly name = "TransportError";
}

/** What is used of a WebSocket. */
export interface Socket {
  addEventListener(type: string, listener: (event: never) => void): void;
  send(text: string): void;
  close(code?: number): void;
}

export interface Options {
  /** Where the API is, e.g. `https://kantoku.example`. */
  url: string;
  /** The key, if the server asks for one. */
  key?: string;
  /** Whose things calls are about that do not say it themselves. */
  namespace?: string;
  /** How long a call may take, in milliseconds; 30,000 unless given. */
  timeout?: number;
  /** Makes connections; the WebSocket of the platform unless given. */
  webSocket?: new (url: string, protocols: string[]) => Socket;
}

export interface CallOptions {
  /** Ends it before its time. */
  signal?: AbortSignal;
}

/** A method with its parameters. */
export type Call = {
  [M in keyof Methods]: { method: M; params: Methods[M]["params"] };
}[keyof Methods];

/** What came of a call of a batch. */
export type Outcome<C> = C extends { method: infer M extends keyof Methods }
  ? { ok: true; answer: Methods[M]["answer"] } | { ok: false; error: KantokuError }
  : never;

/** Notifications that wait to be read; with more, the subscription ends, and can be resumed. */
const QUEUE_MAX = 10_000;
const RETRY_MIN = 100;
const RETRY_MAX = 10_000;

/** One server. It holds no connection; each subscription has its own. */
export class Client {
  readonly #options: Options;
  #next = 1;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Calls a method. Fails with a {@link KantokuError} or a {@link TransportError}. */
  async call<M extends keyof Methods>(
    method: M,
    params: Methods[M]["params"],
    options: CallOptions = {},
  ): Promise<Methods[M]["answer"]> {
    const request = this.#request(method, params);
    const answer = await this.#post(request, options);
    return result(answer, request.id) as Methods[M]["answer"];
  }

  /** Makes several calls by one request. Each has its own outcome; in the order of the calls. */
  async batch<const C extends readonly Call[]>(
    calls: C,
    options: CallOptions = {},
  ): Promise<{ -readonly [I in keyof C]: Outcome<C[I]> }> {
    const requests = calls.map(({ method, params }) => this.#request(method, params));
    const answers = calls.length === 0 ? [] : await this.#post(requests, options);
    if (!Array.isArray(answers)) {
      // The batch as a whole was refused.
      result(answers, null);
      throw new TransportError("a batch was answered by a single answer");
    }
    const outcomes = requests.map(({ id }) => {
      const answer: unknown = answers.find((it) => isObject(it) && it["id"] === id);
      try {
        return { ok: true, answer: result(answer, id) };
      } catch (error) {
        if (error instanceof KantokuError) return { ok: false, error };
        throw error;
      }
    });
    return outcomes as { -readonly [I in keyof C]: Outcome<C[I]> };
  }

  /**
   * Follows what happens, until the caller stops or the signal says so. When the connection is lost
   * it is opened again, and goes on behind what was told last: nothing is left out, and what was
   * told is not told again. What cannot be opened in the first place fails at once, and
   * `task.follow_logs` cannot go on.
   */
  async *subscribe<S extends keyof Subscriptions>(
    method: S,
    params: Subscriptions[S]["params"],
    options: CallOptions = {},
  ): AsyncGenerator<Subscriptions[S]["item"], void, undefined> {
    const place = new Place(method, params);
    for (let failures = 0, begun = false; !options.signal?.aborted; ) {
      const feed = this.#open(method, place.params(), options.signal);
      try {
        for await (const item of feed.items) {
          failures = 0;
          if (place.pass(item)) yield item as Subscriptions[S]["item"];
        }
        return;
      } catch (error) {
        if (options.signal?.aborted) return;
        begun ||= feed.begun();
        const retryable = error instanceof TransportError || (error as KantokuError).retryable;
        if (!begun || !retryable || !place.resumable(error)) throw error;
        failures += 1;
      } finally {
        feed.close();
      }
      await pause(Math.random() * Math.min(RETRY_MAX, RETRY_MIN * 2 ** failures), options.signal);
    }
  }

  #request(method: string, params: object) {
    const { namespace } = this.#options;
    const takes = namespace !== undefined && !WITHOUT_NAMESPACE.has(method);
    const given = takes ? { namespace, ...params } : params;
    return { jsonrpc: "2.0", id: this.#next++, method, params: given };
  }

  async #post(document: unknown, options: CallOptions): Promise<unknown> {
    const { url, key, timeout = 30_000 } = this.#options;
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (key !== undefined) headers["Authorization"] = `Bearer ${key}`;
    const signals = [AbortSignal.timeout(timeout), ...(options.signal ? [options.signal] : [])];
    try {
      const response = await fetch(new URL("rpc", base(url)), {
        method: "POST",
        headers,
        body: JSON.stringify(document),
        signal: AbortSignal.any(signals),
      });
      return await response.json();
    } catch (error) {
      if (options.signal?.aborted) throw options.signal.reason;
      throw new TransportError(`no answer from ${url}: ${String(error)}`, { cause: error });
    }
  }

  /** One connection with one subscription. */
  #open(method: keyof Subscriptions, params: object, signal: AbortSignal | undefined) {
    const { url, key, webSocket } = this.#options;
    const target = new URL("rpc", base(url));
    target.protocol = target.protocol === "https:" ? "wss:" : "ws:";
    const protocols = ["kantoku.v1", ...(key === undefined ? [] : [`kantoku.key.${key}`])];
    const Made = webSocket ?? (globalThis.WebSocket as unknown as Options["webSocket"]);
    if (!Made) throw new TransportError("there is no WebSocket here: give one as an option");
    const socket = new Made(target.href, protocols);
    const request = this.#request(method, params);
    const queue = new Queue();
    let begun = false;
    socket.addEventListener("open", () => socket.send(JSON.stringify(request)));
    socket.addEventListener("error", () => queue.fail(new TransportError(`no connection to ${url}`)));
    socket.addEventListener("close", () => queue.fail(new TransportError("the connection ended")));
    socket.addEventListener("message", (event: { data: unknown }) => {
      try {
        const message: unknown = JSON.parse(String(event.data));
        if (!isObject(message)) return;
        if (message["id"] === request.id) {
          result(message, request.id);
          begun = true;
        }
        if (message["method"] !== method || !isObject(message["params"])) return;
        const told = message["params"];
        if ("error" in told) throw failure(told["error"]);
        queue.push(told["result"]);
      } catch (error) {
        queue.fail(error);
      }
    });
    const stop = () => queue.end();
    signal?.addEventListener("abort", stop);
    const close = () => {
      signal?.removeEventListener("abort", stop);
      socket.close(1000);
    };
    return { items: queue, begun: () => begun, close };
  }
}

/** How far a subscription has got. */
class Place {
  readonly #method: keyof Subscriptions;
  readonly #params: object;
  #from: number | undefined;
  #last = 0;
  /** What was told of the last position: one event can change several records. */
  #told = new Set<string>();

  constructor(method: keyof Subscriptions, params: object) {
    this.#method = method;
    this.#params = params;
  }

  params(): object {
    return this.#from === undefined ? this.#params : { ...this.#params, from_seq: this.#from };
  }

  /** Takes note of an item; false if it was told before. */
  pass(item: unknown): boolean {
    if (!isObject(item) || typeof item["stream_seq"] !== "number") return true;
    const at = item["stream_seq"];
    if (at < this.#last) return this.#from === undefined;
    const record = item["task"] ?? item["context"] ?? item;
    const name = isObject(record) ? String(record["id"]) : "";
    if (at > this.#last) this.#told.clear();
    const isNew = !this.#told.has(name);
    this.#told.add(name);
    this.#last = at;
    return isNew;
  }

  /** Whether it can go on, and from where. */
  resumable(error: unknown): boolean {
    if (this.#method === "task.follow_logs") return false;
    const told = error instanceof KantokuError ? error.data?.resume_from : undefined;
    if (typeof told === "number") this.#from = told;
    // Events from a position on; records that changed behind it.
    else if (this.#last > 0) {
      this.#from = this.#method === "event.subscribe" ? this.#last + 1 : this.#last - 1;
    }
    return true;
  }
}

/** What was told and not yet read. */
class Queue implements AsyncIterable<unknown> {
  #items: unknown[] = [];
  #end: { error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: unknown): void {
    if (this.#end) return;
    if (this.#items.length >= QUEUE_MAX) {
      const message = `more than ${QUEUE_MAX} notifications wait to be read`;
      this.fail(new TransportError(message));
      return;
    }
    this.#items.push(item);
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  end(): void {
    this.#end ??= {};
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      while (this.#items.length > 0) {
        const items = this.#items;
        this.#items = [];
        yield* items;
      }
      if (this.#end) {
        if ("error" in this.#end) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}

function result(answer: unknown, id: number | null): unknown {
  if (!isObject(answer)) throw new TransportError("the answer is none of JSON-RPC 2.0");
  if ("error" in answer) throw failure(answer["error"]);
  if (answer["id"] !== id) throw new TransportError("the answer is one to another call");
  return answer["result"];
}

function failure(error: unknown): KantokuError {
  const { code, message, data } = (isObject(error) ? error : {}) as Partial<KantokuError>;
  return new KantokuError(code ?? Code.Internal, message ?? "an error without a message", data);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function base(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
