// From spawn to result with a JSON-RPC client that knows nothing of Kantoku: json-rpc-2.0, over fetch.
//
// node round_trip.mjs http://127.0.0.1:7300 prints one JSON document, or fails.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";

// Where it was installed.
const require = createRequire(join(process.env.NODE_MODULES, "x.js"));
const { JSONRPCClient, JSONRPCErrorException, createJSONRPCRequest } = require("json-rpc-2.0");

let answered;
const client = new JSONRPCClient(async (document) => {
  answered = await fetch(`${process.argv[2]}/rpc`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(document),
  });
  if (answered.status === 200) client.receive(await answered.json());
});

const passOn = (x, key) => ({
  specification: "pass",
  inputs: { x: { value: x } },
  idempotency_key: key,
});

const key = randomUUID();
const spawned = await client.request("task.spawn", passOn(41, key));
const waited = await client.request("task.wait", { id: spawned.task_id });
assert.equal(waited.done, true);

// An order without an id is carried out, and not answered.
await client.notify("task.spawn", passOn(42, `${key}-2`));
await new Promise((resolve) => setImmediate(resolve));

await assert.rejects(client.request("task.get", { id: randomUUID() }), (error) => {
  assert(error instanceof JSONRPCErrorException);
  assert.deepEqual([error.code, error.data.reason, error.data.retryable], [1002, "not_found", false]);
  return true;
});

const [missing, count] = await client.requestAdvanced([
  createJSONRPCRequest(1, "task.get", { id: randomUUID() }),
  createJSONRPCRequest(2, "task.count", { min_seq: spawned.stream_seq }),
]);
assert.equal(missing.error.code, 1002);
assert(count.result.total >= 1);

console.log(JSON.stringify({ task_id: spawned.task_id, x: waited.outputs.x }));
