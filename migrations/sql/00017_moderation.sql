-- +goose Up
-- Held posts: how long they wait, who hears of them, who looks at one, and what is changed of one before it goes out.

ALTER TABLE list
    ADD COLUMN max_hold_days integer NOT NULL DEFAULT 30 CHECK (max_hold_days >= 0), -- 0: until somebody decides
    ADD COLUMN moderator_notices text NOT NULL DEFAULT 'at-once' CHECK (moderator_notices IN ('at-once', 'daily', 'none')),
    ADD COLUMN tell_held boolean NOT NULL DEFAULT true, -- whether authors hear that their post waits
    ADD COLUMN trusts boolean NOT NULL DEFAULT false; -- there may be rows of trusted: nobody looks for them otherwise
CREATE INDEX list_daily ON list (id) WHERE moderator_notices = 'daily' AND deleted IS NULL;

ALTER TABLE post
    ADD COLUMN held       timestamptz, -- since when it waits, where that is not since it arrived
    ADD COLUMN claimed_by text,        -- who said that they look at it
    ADD COLUMN claimed    timestamptz, -- and when; an old claim counts for nothing
    ADD COLUMN edits      jsonb;       -- what copies have different from the raw message, in order

-- What waited before there was an end to waiting waits from now on.
UPDATE post SET held = now() WHERE state = 'held';

-- A post whose sender has to answer a question first. NOT VALID: the rows there are have the words of before.
ALTER TABLE post DROP CONSTRAINT post_state_check;
ALTER TABLE post ADD CONSTRAINT post_state_check
    CHECK (state IN ('accepted', 'held', 'unconfirmed', 'rejected', 'discarded')) NOT VALID;
ALTER TABLE post DROP CONSTRAINT post_ruled_check;
ALTER TABLE post ADD CONSTRAINT post_ruled_check CHECK (ruled IN ('accept', 'hold', 'confirm')) NOT VALID;
CREATE INDEX post_unconfirmed ON post (arrived) WHERE state = 'unconfirmed';

ALTER TABLE decision DROP CONSTRAINT decision_action_check;
ALTER TABLE decision ADD CONSTRAINT decision_action_check
    CHECK (action IN ('accept', 'hold', 'reject', 'discard', 'release', 'confirm', 'edit', 'forward')) NOT VALID;

ALTER TABLE token DROP CONSTRAINT token_purpose_check;
ALTER TABLE token ADD CONSTRAINT token_purpose_check
    CHECK (purpose IN ('join', 'leave', 'signin', 'post', 'moderate', 'admit')) NOT VALID;

-- Whose posts go out without being held, though they are no members, or though all posts are held.
CREATE TABLE trusted (
    list    bigint NOT NULL REFERENCES list,
    key     text COLLATE "C" NOT NULL,
    address text NOT NULL,
    since   timestamptz NOT NULL DEFAULT now(),
    by      text NOT NULL, -- who said so
    PRIMARY KEY (list, key)
);

-- Texts for posts that are rejected.
CREATE TABLE canned (
    list bigint NOT NULL REFERENCES list,
    name text COLLATE "C" NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (list, name)
);
