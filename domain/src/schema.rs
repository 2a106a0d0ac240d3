//! The JSON schemas of what serde forms are written by hand for: each says what is read and written.
//!
//! Everything else derives [`JsonSchema`] beside its serde form, which the schema follows.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    Cron, Event, Id, Millis, Name, Namespace, Timestamp,
    dependency::{Approval, HttpProbe},
    policy::Template,
    restart::VersionPolicy,
};

/// Declares schemas that are the same for reading and writing: `Type { schema }`.
macro_rules! schemas {
    ($($type:ident $schema:tt)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

schemas! {
    Id {
        "description": "A uuid.",
        "type": "string",
        "format": "uuid",
    }
    Name {
        "description": "1 to 253 characters of `A-Z a-z 0-9 _ - . /`, starting and ending with a \
                        letter or a digit, e.g. `text/words`.",
        "type": "string",
        "pattern": "^[A-Za-z0-9]([A-Za-z0-9_./-]{0,251}[A-Za-z0-9])?$",
    }
    Namespace {
        "description": "1 to 63 characters of `a-z 0-9 -`, starting and ending with a letter or a \
                        digit.",
        "type": "string",
        "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    }
    Timestamp {
        "description": "RFC 3339, to the microsecond, e.g. `2026-11-24T04:19:50.000001Z`.",
        "type": "string",
        "format": "date-time",
    }
    // More digits than these would be more than 10^15 ms.
    Millis {
        "description": "A duration as `250ms`, `1.5s`, `5m`, `2h` or `1d`, or a number of \
                        milliseconds.",
        "type": ["string", "integer"],
        "pattern": "^([0-9]{1,15}(\\.[0-9]+)?ms|[0-9]{1,12}(\\.[0-9]+)?s|[0-9]{1,10}(\\.[0-9]+)?m\
                    |[0-9]{1,8}(\\.[0-9]+)?h|[0-9]{1,7}(\\.[0-9]+)?d)$",
        "minimum": 0,
        "maximum": u64::MAX,
    }
    Cron {
        "description": "Minutes at which something starts: `minute hour day-of-month month \
                        day-of-week`, as in crontab(5), or `@hourly`, `@daily`, `@weekly`, \
                        `@monthly`, `@yearly`.",
        "type": "string",
        "pattern": Cron::pattern(),
    }
    VersionPolicy {
        "description": "Which version of its specification a successor has: `same`, `latest`, or \
                        the number of one, 1 for the first.",
        "anyOf": [
            { "type": "string", "enum": ["same", "latest"] },
            { "type": "integer", "minimum": 0, "maximum": u64::MAX },
        ],
    }
    Template {
        "description": "A text with places to fill in: `{specification}`, `{context}`, `{queue}`, \
                        `{step}`, `{shard_key}`, `{labels.NAME}`.",
        "type": "string",
    }
    Event {
        "type": "object",
        "properties": {
            "type": {
                "description": "What happened: the name under which the event is stored.",
                "type": "string",
                "enum": Event::NAMES,
            },
            "data": {
                "description": "The event's own fields, by its type.",
                "type": "object",
            },
        },
        "required": ["type", "data"],
    }
}

/// Declares schemas of what may be read as one text: `Type "Name" of Long "what the text is"`.
macro_rules! short_or_long {
    ($($type:ident $name:literal of $long:ident $short:literal)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let long = crate::dependency::$long::json_schema(generator);
                if generator.contract().is_serialize() {
                    return long;
                }
                let short = json_schema!({ "description": $short, "type": "string" });
                json_schema!({ "anyOf": [short, long] })
            }
        }
    )*};
}

short_or_long! {
    Approval "ApprovalNeeded" of LongApproval "An approval's name, for one yes of anybody."
    HttpProbe "HttpProbe" of LongProbe "A URL that is to answer with 200, asked every 30s."
}
