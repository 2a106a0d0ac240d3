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


def impatient(parameters):
    """No request waits for long, unless how long it is to wait is what is wrong with it."""
    if isinstance(parameters, dict) and ("min_seq" in parameters or "timeout" in parameters):
        if WAIT.match(str(parameters.get("timeout", "1s"))):
            parameters["timeout"] = "20ms"
    return parameters


@schemathesis.hook
def map_query(context, query):
    return impatient(query)


@schemathesis.hook
def map_body(context, body):
    """In a body, null is the same as nothing."""
    if isinstance(body, dict) and "min_seq" in body and body.get("timeout", 0) is None:
        del body["timeout"]
    return impatient(body)
