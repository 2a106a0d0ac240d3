"""What requests are like besides their schemas, so that many fit into little time."""

import os
import re

import schemathesis

# The key that is asked with, `ktk_<id>_<secret>`, where there is one.
OWN_KEY = os.environ.get("KTK_API_KEY", "").split("_")[1:2]

WAIT = re.compile(r"^([0-9]+|[0-9.]+(ms|s|m|h|d))$")


@schemathesis.hook
def before_call(context, case, **kwargs):
    """Who revokes the key that is asked with is let in no more, and finds nothing."""
    if case.method.upper() == "DELETE" and case.path == "/v1/keys/{id}":
        if case.path_parameters.get("id") in OWN_KEY:
            case.path_parameters["id"] = "ffffffffffffffff"


@schemathesis.hook
def map_query(context, query):
    """No request waits for long, unless how long it is to wait is what is wrong with it."""
    if query and ("min_seq" in query or "timeout" in query):
        if WAIT.match(str(query.get("timeout", "1s"))):
            query["timeout"] = "20ms"
    return query
