-- +goose Up
-- Lists whose members get one copy of what is posted to several of them. The relation counts both ways,
-- so it is looked up by either end. It goes by id: a list made anew under the address of one that was
-- removed is nobody's sibling.
CREATE TABLE sibling (
    list    bigint NOT NULL REFERENCES list,
    sibling bigint NOT NULL REFERENCES list,
    PRIMARY KEY (list, sibling),
    CHECK (list <> sibling)
);
CREATE INDEX sibling_of ON sibling (sibling, list);

-- Posts of the same message to siblings that are earlier in the order: whom they reach is left out.
ALTER TABLE fanout ADD COLUMN beside uuid[] NOT NULL DEFAULT '{}';

-- Whether copies ask for reports of what became of them; a fan-out keeps what its list said when it began.
ALTER TABLE list ADD COLUMN tracking text NOT NULL DEFAULT 'off' CHECK (tracking IN ('off', 'dsn', 'mdn'));
ALTER TABLE fanout ADD COLUMN tracking text NOT NULL DEFAULT 'off' CHECK (tracking IN ('off', 'dsn', 'mdn'));

-- What later servers and readers' programs reported of single copies, the first of each kind; of those that
-- are delayed, the last. A kind comes before the members so that its copies can be counted up to a bound.
CREATE TABLE report (
    fanout bigint NOT NULL REFERENCES fanout ON DELETE CASCADE,
    kind   text NOT NULL CHECK (kind IN ('delivered', 'relayed', 'expanded', 'delayed', 'failed', 'displayed', 'deleted', 'dispatched', 'processed')),
    member bigint NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    host   text NOT NULL DEFAULT '', -- who reports
    status text NOT NULL DEFAULT '', -- 2.0.0
    text   text NOT NULL DEFAULT '', -- in the server's words, clean, at most 512 octets
    PRIMARY KEY (fanout, kind, member)
);
