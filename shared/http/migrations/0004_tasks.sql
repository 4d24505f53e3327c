-- Long pieces of work that somebody waits for: how far each is, and what came of it. Kept a month.

CREATE TABLE task (
    id            uuid        PRIMARY KEY,
    kind          text        NOT NULL,
    title_es      text        NOT NULL,
    title_en      text        NOT NULL,
    actor         text        NOT NULL,
    started       timestamptz NOT NULL,
    updated       timestamptz NOT NULL,
    ended         timestamptz,
    done          bigint      NOT NULL DEFAULT 0 CHECK (done >= 0),
    total         bigint      CHECK (total >= 0),
    state         text        NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'stopped')),
    stop_asked_by text,
    seen          boolean     NOT NULL DEFAULT false,
    result        jsonb,
    reason        text,
    CHECK ((state = 'running') = (ended IS NULL))
);
CREATE INDEX task_by_actor ON task (actor, id);
CREATE INDEX task_by_time ON task (updated);
COMMENT ON COLUMN task.updated IS 'the last sign of life; one that runs and gives none for a while is lost';
COMMENT ON COLUMN task.seen IS 'whether whoever began it has seen how it ended';
