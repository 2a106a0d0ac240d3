"""What requests are like besides their schemas, so that many fit into little time."""

import re

import schemathesis

WAIT = re.compile(r"^([0-9]+|[0-9.]+(ms|s|m|h|d))$")


def whole(value):
    """JSON Schema calls 7.0 an integer; the API wants it written as 7."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    return value


@schemathesis.hook
def map_body(context, body):
    return whole(body)


@schemathesis.hook
def map_query(context, query):
    """No request waits for long, unless how long it is to wait is what is wrong with it."""
    if query and ("min_seq" in query or "timeout" in query):
        if WAIT.match(str(query.get("timeout", "1s"))):
            query["timeout"] = "20ms"
    return query
