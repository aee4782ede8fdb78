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
