-- +goose Up
-- Posts, what was decided on them, and the mail that the lists want sent.

-- Whatever came in and is kept: a post to a list, mail to its owners and moderators, or mail to the
-- admins of the site. Being committed with state 'accepted' and planned IS NULL is what queues it
-- for fan-out.
CREATE TABLE post (
    id         uuid PRIMARY KEY, -- version 7: ordered by time
    ref        text COLLATE "C" NOT NULL UNIQUE, -- random; the only name of it in a URL or a mail
    list       bigint REFERENCES list,   -- null: to the site
    domain     bigint REFERENCES domain, -- whose postmaster was written to, where list is null
    kind       text NOT NULL CHECK (kind IN ('post', 'owners', 'admins')),
    state      text NOT NULL CHECK (state IN ('accepted', 'held', 'rejected', 'discarded')),
    arrived    timestamptz NOT NULL DEFAULT now(), -- the 250
    accepted   timestamptz, -- arrived, or when a held one was released: the moment that decides who is a member
    planned    timestamptz, -- when its fan-out was made
    sender     text NOT NULL,   -- reverse-path as given, '' is null
    author     text NOT NULL,   -- address of From, '' for mail to owners or admins without one
    authenticated boolean NOT NULL DEFAULT false, -- the author proved to be who From says
    message_id text NOT NULL,   -- with angle brackets
    subject    text NOT NULL,   -- decoded, cut to 500 octets, for lists of posts
    size       bigint NOT NULL, -- octets of the raw message
    received   text NOT NULL,   -- our Received field, made once so that every copy and retry is byte-equal
    eightbit   boolean NOT NULL,
    smtputf8   boolean NOT NULL,
    header_len integer NOT NULL, -- octets of the raw message up to and with the empty line
    CHECK ((list IS NULL) = (kind = 'admins'))
);
CREATE INDEX post_unplanned ON post (accepted, id) WHERE state = 'accepted' AND planned IS NULL;
CREATE INDEX post_list ON post (list, id);
CREATE INDEX post_held ON post (list, id) WHERE state = 'held';

-- The raw message in pieces of up to 256 KiB, n from 0.
CREATE TABLE post_raw (
    post  uuid NOT NULL REFERENCES post ON DELETE CASCADE,
    n     integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (post, n)
);
ALTER TABLE post_raw ALTER COLUMN bytes SET STORAGE EXTERNAL; -- compressing it costs more than it saves

CREATE TABLE seen (
    list      bigint NOT NULL REFERENCES list,
    id_hash   bytea NOT NULL,
    body_hash bytea NOT NULL,
    post      uuid, -- that was the first, and whose rejection frees the row
    until     timestamptz NOT NULL,
    PRIMARY KEY (list, id_hash)
);
CREATE INDEX seen_until ON seen (until);

-- Why a post was accepted, held, rejected or discarded, as codes with parameters: words are made
-- where they are read.
CREATE TABLE decision (
    post   uuid NOT NULL REFERENCES post ON DELETE CASCADE,
    n      integer NOT NULL,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL, -- 'rules' or who decided
    action text NOT NULL CHECK (action IN ('accept', 'hold', 'reject', 'discard', 'release')),
    reason text NOT NULL, -- code of the rule that decided, or the moderator's words
    trace  jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (post, n)
);

-- Mail of our own to one person: typed, rendered when it is sent.
CREATE TABLE notice (
    id       uuid PRIMARY KEY, -- version 7
    list     bigint REFERENCES list,
    kind     text NOT NULL,
    address  text NOT NULL,
    language text NOT NULL DEFAULT 'en',
    params   jsonb NOT NULL DEFAULT '{}',
    made     timestamptz NOT NULL DEFAULT now(),
    planned  timestamptz
);
CREATE INDEX notice_unplanned ON notice (made, id) WHERE planned IS NULL;

CREATE TABLE bounce (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list   bigint NOT NULL REFERENCES list,
    member bigint NOT NULL REFERENCES member,
    at     timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL CHECK (source IN ('smtp', 'mail', 'expired')),
    hard   boolean NOT NULL,
    status text NOT NULL DEFAULT '', -- 5.1.1
    text   text NOT NULL DEFAULT ''  -- the server's words, clean, at most 512 octets
);
CREATE INDEX bounce_member ON bounce (member, id);
