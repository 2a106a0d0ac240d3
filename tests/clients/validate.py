"""Validates the documents that the API gives of itself, and answers by their schemas.

    validate.py openapi FILE            a document of OpenAPI 3.1
    validate.py openrpc FILE META       a document of OpenRPC, by its meta-schema
    validate.py answers FILE PAIRS      [[name, schema, value], ...] by the schemas of a document

Every problem is a line on stderr; the exit code says whether there was one.
"""

import json
import sys

from jsonschema import Draft7Validator, Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7, DRAFT202012

DRAFT7_URI = "http://json-schema.org/draft-07/schema"
# What the meta-schema of OpenRPC calls JSON Schema is draft 7.
TOOLS_URI = "https://meta.json-schema.tools"
TOOLS = {
    "$id": TOOLS_URI,
    "allOf": [{"$ref": f"{DRAFT7_URI}#"}],
    "definitions": {"JSONSchemaObject": {"properties": {"$ref": {"type": "string"}}}},
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def openapi(document):
    return OpenAPIV31SpecValidator(document).iter_errors()


def openrpc(document, meta):
    schemas = {TOOLS_URI: TOOLS, f"{TOOLS_URI}/": TOOLS, DRAFT7_URI: Draft7Validator.META_SCHEMA}
    resources = [(uri, Resource(schema, DRAFT7)) for uri, schema in schemas.items()]
    # The dialect that it names is draft 7, too.
    meta = {**meta, "$schema": f"{DRAFT7_URI}#"}
    validator = Draft7Validator(meta, registry=Registry().with_resources(resources))
    return validator.iter_errors(document)


def answers(document, pairs):
    whole = Resource(document, DRAFT202012)
    registry = Registry().with_resource("urn:document", whole)
    for name, schema, value in pairs:
        # A reference within the document is one to it from outside.
        text = json.dumps(schema).replace('"#/', '"urn:document#/')
        validator = Draft202012Validator(json.loads(text), registry=registry)
        for error in validator.iter_errors(value):
            error.path.appendleft(name)
            yield error


def main(what, *paths):
    checks = {"openapi": openapi, "openrpc": openrpc, "answers": answers}
    found = False
    for error in checks[what](*map(load, paths)):
        found = True
        print(f"{'/'.join(map(str, error.path))}: {error.message[:500]}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
