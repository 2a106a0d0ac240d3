// From spawn to result with the typed client, with a key, a batch, an error and subscriptions whose
// connections are lost.
//
// node round_trip.mjs http://127.0.0.1:7300 KEY prints one JSON document, or fails. WS names a module
// with a WebSocket, which Node has not had for long.

import {
  Client,
  Code,
  KantokuError,
  TransportError,
  type Recorded,
  type Socket,
} from "../../../api/typescript/src/client.js";

declare const process: { argv: string[]; env: Record<string, string | undefined> };

const [url = "", key = ""] = process.argv.slice(2);
const { WebSocket } = (await import(process.env["WS"] ?? "")) as {
  WebSocket: new (url: string, protocols: string[]) => Socket & { terminate(): void };
};

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`it does not hold: ${what}`);
}

/** Loses each connection behind its first notification, until it has lost three. */
let lost = 0;
class Lossy extends WebSocket {
  #messages = 0;
  #isLost = false;

  override addEventListener(type: string, listener: (event: never) => void): void {
    const told = (event: never) => {
      // What came with the last one is lost with the connection.
      if (this.#isLost) return;
      listener(event);
      this.#messages += 1;
      if (this.#messages === 2 && lost < 3) {
        lost += 1;
        this.#isLost = true;
        this.terminate();
      }
    };
    super.addEventListener(type, type === "message" ? told : listener);
  }
}

const client = new Client({ url, key, namespace: "default", webSocket: Lossy });
const passOn = (x: number) => ({
  specification: "pass",
  inputs: { x: { value: x } },
  idempotency_key: `typescript ${x}`,
});
const spawned = await client.call("task.spawn", passOn(41));
const waited = await client.call("task.wait", { id: spawned.task_id });
check(waited.done && waited.status === "finished" && waited.sub_status === "ok", "it is done");

const [missing, again, count] = await client.batch([
  { method: "task.get", params: { id: "ffffffff-ffff-4fff-8fff-ffffffffffff" } },
  { method: "task.spawn", params: passOn(41) },
  { method: "task.count", params: { min_seq: waited.stream_seq, by: "status" } },
]);
check(!missing.ok && missing.error.code === Code.NotFound && !missing.error.retryable, "none");
check(again.ok && again.answer.task_id === spawned.task_id, "the same key is the same task");
check(count.ok && count.answer.groups?.items[0]?.value === "finished", "it is counted");

try {
  await client.call("task.list", { where: "statsu == 'x'" });
  check(false, "a field that there is not is refused");
} catch (error) {
  check(error instanceof KantokuError && error.data?.field === "where", "the field is named");
}

// All that happened, as often as the connection is lost.
const listed = (await client.call("event.list", { limit: 1000 })).items;
const last = listed.at(-1)?.stream_seq ?? 0;
const followed: Recorded[] = [];
for await (const event of client.subscribe("event.subscribe", { from_seq: 1 })) {
  followed.push(event);
  if (event.stream_seq >= last) break;
}
check(lost === 3, `connections were lost: ${lost}`);
const positions = (events: Recorded[]) => events.map((event) => event.stream_seq).join();
check(positions(followed) === positions(listed), `${positions(followed)} for ${positions(listed)}`);

for await (const { task } of client.subscribe("task.subscribe", {})) {
  check(task.id === spawned.task_id, "the only task");
  break;
}
const stopped = new AbortController();
for await (const { context } of client.subscribe("context.subscribe", {}, stopped)) {
  check(context.id === spawned.context_id, "the only context");
  stopped.abort();
}

const stranger = new Client({ url, key: `${key.slice(0, -4)}0000`, webSocket: WebSocket });
const refused = await stranger.call("system.info", {}).catch((error: unknown) => error);
check(refused instanceof KantokuError && refused.code === Code.Unauthenticated, "a key is asked for");
const unheard = await stranger
  .subscribe("event.subscribe", {})
  .next()
  .catch((error: unknown) => error);
check(unheard instanceof TransportError, "no subscription without a key");

console.log(JSON.stringify({ task_id: spawned.task_id, x: waited.outputs["x"] }));
