"""From spawn to result with a JSON-RPC client that knows nothing of Kantoku: jsonrpcclient, over urllib.

python3 round_trip.py http://127.0.0.1:7300 prints one JSON document, or fails.
"""

import json
import sys
import urllib.request
import uuid

from jsonrpcclient import Error, Ok, notification, parse, request

URL = sys.argv[1] + "/rpc"


def post(document):
    body = json.dumps(document).encode()
    sent = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=60) as answer:
        return answer.status, answer.read()


def call(method, params):
    _, body = post(request(method, params=params))
    return parse(json.loads(body))


def pass_on(x, key):
    return {"specification": "pass", "inputs": {"x": {"value": x}}, "idempotency_key": key}


def main():
    key = str(uuid.uuid4())
    spawned = call("task.spawn", pass_on(41, key))
    assert isinstance(spawned, Ok), spawned
    task_id = spawned.result["task_id"]
    waited = call("task.wait", {"id": task_id})
    assert isinstance(waited, Ok) and waited.result["done"], waited

    # An order without an id is carried out, and not answered.
    status, body = post(notification("task.spawn", params=pass_on(42, key + "-2")))
    assert status == 204 and body == b"", (status, body)

    missing, count = post_batch(
        request("task.get", params={"id": str(uuid.uuid4())}),
        request("task.count", params={"min_seq": spawned.result["stream_seq"]}),
    )
    assert isinstance(missing, Error) and missing.code == 1002, missing
    assert missing.data["reason"] == "not_found" and missing.data["retryable"] is False, missing
    assert isinstance(count, Ok) and count.result["total"] >= 1, count
    print(json.dumps({"task_id": task_id, "x": waited.result["outputs"]["x"]}))


def post_batch(*requests):
    _, body = post(list(requests))
    answers = {answer.id: answer for answer in parse(json.loads(body))}
    return [answers[one["id"]] for one in requests]


main()
