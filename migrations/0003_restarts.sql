-- Restarts, pauses, policies. Documents hold more than they did, so they are made anew: rows are
-- nothing but what a projection makes of the stream, and from position 0 it makes all of them.
TRUNCATE tasks, contexts, resources, specifications, types, pipelines, events;
UPDATE checkpoint SET stream_seq = 0, event_id = NULL, stream_created = NULL;

ALTER TABLE tasks
    ADD COLUMN parent_id uuid GENERATED ALWAYS AS ((document ->> 'parent_id')::uuid) STORED,
    ADD COLUMN restart_root uuid GENERATED ALWAYS AS ((document ->> 'restart_root')::uuid) STORED,
    ADD COLUMN paused boolean GENERATED ALWAYS AS (document ? 'paused') STORED;
CREATE INDEX tasks_parent ON tasks (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX tasks_restarts ON tasks (restart_root) WHERE restart_root IS NOT NULL;
CREATE INDEX tasks_paused ON tasks (namespace, updated_at, id) WHERE paused;

ALTER TABLE contexts
    ADD COLUMN paused boolean GENERATED ALWAYS AS (document ? 'paused') STORED;
CREATE INDEX contexts_paused ON contexts (namespace, updated_at, id) WHERE paused;

CREATE TABLE policies (
    id        uuid NOT NULL,
    version   bigint NOT NULL,
    document  jsonb NOT NULL,
    namespace text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    name      text COLLATE "C" GENERATED ALWAYS AS (document ->> 'name') STORED,
    PRIMARY KEY (id, version)
);
CREATE INDEX policies_name ON policies (namespace, name, version DESC);

-- Specifications and namespaces that are paused, or were: both are more than one row, or none.
CREATE TABLE pauses (
    id       uuid PRIMARY KEY,
    document jsonb NOT NULL
);

-- Whether an event of a kind has come since a task began to wait for it.
CREATE INDEX events_type ON events (namespace, type, stream_seq);
