-- +goose Up
-- What a list chose for the rules that judge its posts, and whom it and the site ban.

-- Only what is not the default, by the key of the setting; and with 'bans' that the list has any, so that no
-- other list has to be asked for them at each post.
ALTER TABLE list ADD COLUMN rules jsonb NOT NULL DEFAULT '{}';

ALTER TABLE member
    ADD COLUMN moderation text NOT NULL DEFAULT '', -- what becomes of their posts; '' for what becomes of any member's
    ADD COLUMN released integer NOT NULL DEFAULT 0, -- of their posts so many were held as a new member's and let go
    ADD CONSTRAINT member_moderation_check CHECK (moderation IN ('', 'accept', 'hold', 'reject', 'discard')) NOT VALID; -- of millions of rows none differs

CREATE TABLE ban (
    list    bigint NOT NULL, -- 0: of the site
    pattern text COLLATE "C" NOT NULL, -- the key of an address, @domain, @*.domain, or a regular expression beginning with ^
    action  text NOT NULL DEFAULT 'reject' CHECK (action IN ('hold', 'reject', 'discard')),
    note    text NOT NULL DEFAULT '',
    actor   text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list, pattern)
);
-- A regular expression cannot be looked up: all of a list are tried.
CREATE INDEX ban_regexp ON ban (list) WHERE pattern >= '^' AND pattern < '_';

-- What holds for the whole site; it has one row, or none.
CREATE TABLE site (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    rules jsonb NOT NULL DEFAULT '{}'
);

-- Rules discard posts and have them confirmed, too. Rows from before are as they were.
ALTER TABLE post DROP CONSTRAINT post_ruled_check;
ALTER TABLE post ADD CONSTRAINT post_ruled_check CHECK (ruled IN ('accept', 'hold', 'confirm', 'discard')) NOT VALID;
