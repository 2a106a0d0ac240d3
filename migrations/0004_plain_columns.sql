-- What queries select by is written by the projector beside the document, where it was made from the
-- document at every write; there are fewer indexes; and tasks are counted as they change.

ALTER TABLE tasks
    ALTER COLUMN namespace DROP EXPRESSION,
    ALTER COLUMN status DROP EXPRESSION,
    ALTER COLUMN sub_status DROP EXPRESSION,
    ALTER COLUMN context_id DROP EXPRESSION,
    ALTER COLUMN specification DROP EXPRESSION,
    ALTER COLUMN unfolded DROP EXPRESSION,
    ALTER COLUMN labels DROP EXPRESSION,
    ALTER COLUMN stream_seq DROP EXPRESSION,
    ALTER COLUMN parent_id DROP EXPRESSION,
    ALTER COLUMN restart_root DROP EXPRESSION,
    ALTER COLUMN paused DROP EXPRESSION;
ALTER TABLE contexts
    ALTER COLUMN namespace DROP EXPRESSION,
    ALTER COLUMN status DROP EXPRESSION,
    ALTER COLUMN pipeline DROP EXPRESSION,
    ALTER COLUMN labels DROP EXPRESSION,
    ALTER COLUMN stream_seq DROP EXPRESSION,
    ALTER COLUMN paused DROP EXPRESSION;
ALTER TABLE resources
    ALTER COLUMN namespace DROP EXPRESSION,
    ALTER COLUMN status DROP EXPRESSION,
    ALTER COLUMN context_id DROP EXPRESSION;

-- A projector of an earlier build that still runs does not name these columns. It finds this in its
-- log, and nothing of it in the tables, until it is replaced.
ALTER TABLE tasks ALTER COLUMN namespace
    SET DEFAULT current_setting('kantoku.a_newer_build_writes_these_tables');
ALTER TABLE contexts ALTER COLUMN namespace
    SET DEFAULT current_setting('kantoku.a_newer_build_writes_these_tables');
ALTER TABLE resources ALTER COLUMN namespace
    SET DEFAULT current_setting('kantoku.a_newer_build_writes_these_tables');

-- One index for lists by status, and for those of a namespace: these ask it once for each status.
DROP INDEX tasks_updated, tasks_status, tasks_labels,
    contexts_updated, contexts_status, contexts_pipeline, contexts_labels,
    resources_updated, resources_status, resources_context,
    events_namespace;
CREATE INDEX tasks_status ON tasks
    (namespace, status, (COALESCE(sub_status, '')), updated_at, id);
CREATE INDEX tasks_labels ON tasks USING gin (labels jsonb_path_ops) WHERE labels <> '{}';
CREATE INDEX contexts_status ON contexts (namespace, status, updated_at, id);
CREATE INDEX contexts_pipeline ON contexts (namespace, pipeline, updated_at, id)
    WHERE pipeline IS NOT NULL;
CREATE INDEX contexts_labels ON contexts USING gin (labels jsonb_path_ops) WHERE labels <> '{}';
CREATE INDEX resources_status ON resources (namespace, status, updated_at, id);
CREATE INDEX resources_context ON resources (context_id, updated_at, id)
    WHERE context_id IS NOT NULL;

-- Long documents are compressed in a third of the time, where Postgres was built for it.
DO $$ BEGIN
    EXECUTE 'ALTER TABLE tasks ALTER COLUMN document SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE contexts ALTER COLUMN document SET COMPRESSION lz4';
    EXECUTE 'ALTER TABLE resources ALTER COLUMN document SET COMPRESSION lz4';
EXCEPTION WHEN feature_not_supported OR syntax_error THEN NULL;
END $$;

-- How many tasks there are, changed in the transaction that changes the tasks. A row is there from
-- the first task of its kind on, whatever its numbers are. `other` is of those whose status and
-- sub_status nobody expects together.
CREATE TABLE counts (
    namespace       text NOT NULL,
    specification   text NOT NULL,
    initialized     bigint NOT NULL,
    ready           bigint NOT NULL,
    received        bigint NOT NULL,
    finished_ok     bigint NOT NULL,
    finished_failed bigint NOT NULL,
    cancelled       bigint NOT NULL,
    skipped         bigint NOT NULL,
    other           bigint NOT NULL,
    PRIMARY KEY (namespace, specification)
) WITH (fillfactor = 50);
INSERT INTO counts
    SELECT namespace, specification,
           count(*) FILTER (WHERE state = 'initialized'), count(*) FILTER (WHERE state = 'ready'),
           count(*) FILTER (WHERE state = 'received'), count(*) FILTER (WHERE state = 'finished/ok'),
           count(*) FILTER (WHERE state = 'finished/failed'),
           count(*) FILTER (WHERE state = 'cancelled'), count(*) FILTER (WHERE state = 'skipped'),
           count(*) FILTER (WHERE state NOT IN ('initialized', 'ready', 'received', 'finished/ok',
                                                'finished/failed', 'cancelled', 'skipped'))
    FROM (SELECT namespace, specification, concat_ws('/', status, sub_status) AS state FROM tasks) tasks
    GROUP BY namespace, specification;
