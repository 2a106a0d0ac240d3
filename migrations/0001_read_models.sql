-- The read models. Every table holds documents as the API gives them, and the columns that
-- queries select by. Columns are generated from the document, so the two cannot disagree.
-- Unqualified names: everything is made in the schema that the connection's search_path names.

-- How far the projection has got, and of which stream.
CREATE TABLE checkpoint (
    singleton      boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    stream_seq     bigint NOT NULL,
    event_id       uuid,
    stream_created timestamptz
);
INSERT INTO checkpoint (stream_seq) VALUES (0);

CREATE TABLE tasks (
    id            uuid PRIMARY KEY,
    updated_at    timestamptz NOT NULL,
    document      jsonb NOT NULL,
    namespace     text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    status        text GENERATED ALWAYS AS (document ->> 'status') STORED,
    sub_status    text GENERATED ALWAYS AS (document ->> 'sub_status') STORED,
    context_id    uuid GENERATED ALWAYS AS ((document ->> 'context_id')::uuid) STORED,
    specification text GENERATED ALWAYS AS (document ->> 'specification') STORED,
    unfolded      boolean GENERATED ALWAYS AS ((document ->> 'unfolded')::boolean) STORED,
    labels        jsonb GENERATED ALWAYS AS (document -> 'labels') STORED
);
CREATE INDEX tasks_updated ON tasks (namespace, updated_at, id);
CREATE INDEX tasks_status ON tasks (namespace, status, sub_status, updated_at, id);
CREATE INDEX tasks_specification ON tasks (namespace, specification, updated_at, id);
CREATE INDEX tasks_context ON tasks (context_id, updated_at, id);
CREATE INDEX tasks_labels ON tasks USING gin (labels jsonb_path_ops);

CREATE TABLE contexts (
    id         uuid PRIMARY KEY,
    updated_at timestamptz NOT NULL,
    document   jsonb NOT NULL,
    namespace  text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    status     text GENERATED ALWAYS AS (document ->> 'status') STORED,
    pipeline   text GENERATED ALWAYS AS (document -> 'pipeline' ->> 'name') STORED,
    labels     jsonb GENERATED ALWAYS AS (document -> 'labels') STORED
);
CREATE INDEX contexts_updated ON contexts (namespace, updated_at, id);
CREATE INDEX contexts_status ON contexts (namespace, status, updated_at, id);
CREATE INDEX contexts_pipeline ON contexts (namespace, pipeline, updated_at, id);
CREATE INDEX contexts_labels ON contexts USING gin (labels jsonb_path_ops);

CREATE TABLE resources (
    id         uuid PRIMARY KEY,
    updated_at timestamptz NOT NULL,
    document   jsonb NOT NULL,
    namespace  text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    status     text GENERATED ALWAYS AS (document ->> 'status') STORED,
    context_id uuid GENERATED ALWAYS AS ((document ->> 'context_id')::uuid) STORED
);
CREATE INDEX resources_updated ON resources (namespace, updated_at, id);
CREATE INDEX resources_status ON resources (namespace, status, updated_at, id);
CREATE INDEX resources_context ON resources (context_id, updated_at, id);

-- What people apply: one row per version. The id is derived from namespace, kind and name.
CREATE TABLE specifications (
    id        uuid NOT NULL,
    version   bigint NOT NULL,
    document  jsonb NOT NULL,
    namespace text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    name      text COLLATE "C" GENERATED ALWAYS AS (document ->> 'name') STORED,
    PRIMARY KEY (id, version)
);
CREATE INDEX specifications_name ON specifications (namespace, name, version DESC);

CREATE TABLE types (
    id        uuid NOT NULL,
    version   bigint NOT NULL,
    document  jsonb NOT NULL,
    namespace text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    name      text COLLATE "C" GENERATED ALWAYS AS (document ->> 'name') STORED,
    PRIMARY KEY (id, version)
);
CREATE INDEX types_name ON types (namespace, name, version DESC);

CREATE TABLE pipelines (
    id        uuid NOT NULL,
    version   bigint NOT NULL,
    document  jsonb NOT NULL,
    namespace text GENERATED ALWAYS AS (document ->> 'namespace') STORED,
    name      text COLLATE "C" GENERATED ALWAYS AS (document ->> 'name') STORED,
    PRIMARY KEY (id, version)
);
CREATE INDEX pipelines_name ON pipelines (namespace, name, version DESC);

-- An index of the stream: where an event lies and what it was about. The event itself is read
-- from the stream.
CREATE TABLE events (
    stream_seq bigint PRIMARY KEY,
    namespace  text NOT NULL,
    aggregate  text NOT NULL,
    id         uuid NOT NULL,
    version    bigint NOT NULL,
    type       text NOT NULL,
    event_id   uuid NOT NULL,
    context_id uuid NOT NULL,
    actor      text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX events_aggregate ON events (id, stream_seq);
CREATE INDEX events_context ON events (context_id, stream_seq);
CREATE INDEX events_namespace ON events (namespace, stream_seq);
