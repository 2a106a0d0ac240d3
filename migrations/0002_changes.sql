-- What has changed since a position, in the order of the stream: for whoever follows records.
ALTER TABLE tasks ADD COLUMN stream_seq bigint
    GENERATED ALWAYS AS ((document -> 'stream_seq')::bigint) STORED;
CREATE INDEX tasks_changed ON tasks (stream_seq, id);
ALTER TABLE contexts ADD COLUMN stream_seq bigint
    GENERATED ALWAYS AS ((document -> 'stream_seq')::bigint) STORED;
CREATE INDEX contexts_changed ON contexts (stream_seq, id);
