-- +goose Up
-- Domains, lists, members and who may do what with them.

CREATE TABLE domain (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text COLLATE "C" NOT NULL UNIQUE, -- A-labels, lower case
    created timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE list (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain      bigint NOT NULL REFERENCES domain,
    local       text COLLATE "C" NOT NULL CHECK (octet_length(local) <= 29), -- key form
    name        text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    language    text NOT NULL DEFAULT 'en',
    advertised  boolean NOT NULL DEFAULT true,
    expn        text NOT NULL DEFAULT 'members' CHECK (expn IN ('anyone', 'members', 'owners', 'nobody')),
    post_policy text NOT NULL DEFAULT 'members' CHECK (post_policy IN ('members', 'anyone', 'moderators')),
    join_policy text NOT NULL DEFAULT 'confirm' CHECK (join_policy IN ('open', 'confirm', 'moderate', 'both', 'closed')),
    verp        integer NOT NULL DEFAULT 1 CHECK (verp >= 0), -- 0 never, 1 every post, n every nth
    posts       bigint NOT NULL DEFAULT 0, -- fan-outs planned so far, for verp = n
    created     timestamptz NOT NULL DEFAULT now(),
    deleted     timestamptz
);
CREATE UNIQUE INDEX list_address ON list (domain, local) WHERE deleted IS NULL;
CREATE INDEX list_local ON list (local) WHERE deleted IS NULL;

-- A membership. Leaving sets left_at and keeps the row, coming back writes a new one, and so does
-- a change of address: what a fan-out reads never changes under it.
CREATE TABLE member (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list      bigint NOT NULL REFERENCES list,
    key       text COLLATE "C" NOT NULL, -- smtp.Address.Key
    address   text NOT NULL,             -- as written: what mail is sent to
    name      text NOT NULL DEFAULT '',
    domain    text COLLATE "C" NOT NULL, -- A-labels, lower case
    nested    bigint REFERENCES list,    -- the list this address is, when it is one here
    mode      text NOT NULL DEFAULT 'each' CHECK (mode IN ('each', 'none')),
    state     text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'user', 'bounce', 'moderator')), -- other than active: who stopped delivery
    hidden    boolean NOT NULL DEFAULT false,
    own_posts boolean NOT NULL DEFAULT true, -- gets a copy of what they post themselves
    language  text NOT NULL DEFAULT '',
    score     integer NOT NULL DEFAULT 0,    -- bounces counted, at most one a day
    scored    date,
    joined    timestamptz NOT NULL DEFAULT now(),
    left_at   timestamptz,
    consent   text NOT NULL DEFAULT '', -- how: web, mail, cli, import, api
    consent_from text NOT NULL DEFAULT '' -- client address or who did it
);
CREATE UNIQUE INDEX member_key ON member (list, key) WHERE left_at IS NULL;
CREATE INDEX member_receives ON member (list, domain, id) WHERE left_at IS NULL AND state = 'active' AND mode = 'each';
CREATE INDEX member_of ON member (key) WHERE left_at IS NULL;
CREATE INDEX member_domain ON member (list, domain, key) WHERE left_at IS NULL; -- search by domain, paged
-- EXPN asks before its first line whether a list has a member or a visible one it cannot show
-- (RFC 6531 §3.7.4.2), so both must be cheap to know.
CREATE INDEX member_utf8 ON member (list) WHERE left_at IS NULL AND octet_length(address) <> char_length(address);
CREATE INDEX member_nested ON member (nested) WHERE nested IS NOT NULL AND left_at IS NULL;

-- Who left or was banned is not brought back by an import. Only a hash of the key is kept.
CREATE TABLE tombstone (
    list     bigint NOT NULL REFERENCES list,
    key_hash bytea NOT NULL, -- SHA-256 of the member's key
    reason   text NOT NULL CHECK (reason IN ('left', 'removed', 'banned')),
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list, key_hash)
);

CREATE TABLE role (
    list    bigint NOT NULL REFERENCES list,
    key     text COLLATE "C" NOT NULL,
    address text NOT NULL,
    role    text NOT NULL CHECK (role IN ('owner', 'moderator')),
    since   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (list, key, role)
);
CREATE INDEX role_of ON role (key);

CREATE TABLE person (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text NOT NULL DEFAULT '',
    password text NOT NULL DEFAULT '', -- argon2id, empty: signs in by mail only
    admin    boolean NOT NULL DEFAULT false,
    language text NOT NULL DEFAULT '',
    created  timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE person_address (
    key      text COLLATE "C" PRIMARY KEY,
    person   bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    address  text NOT NULL,
    verified timestamptz
);
CREATE INDEX person_address_person ON person_address (person);

CREATE TABLE session (
    id         bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- names it on the page that lists and ends them
    token_hash bytea PRIMARY KEY,
    person     bigint NOT NULL REFERENCES person ON DELETE CASCADE,
    made       timestamptz NOT NULL DEFAULT now(),
    seen       timestamptz NOT NULL DEFAULT now(),
    client     text NOT NULL DEFAULT ''
);
CREATE INDEX session_person ON session (person, id);
CREATE INDEX session_seen ON session (seen);

-- Random, single use, expiring: confirm, sign in. Only the hash is kept. One open confirmation an
-- address and list: asking again renews nothing and mails nothing.
CREATE TABLE token (
    hash    bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('join', 'leave', 'signin')),
    list    bigint REFERENCES list,
    key     text COLLATE "C" NOT NULL,
    params  jsonb NOT NULL DEFAULT '{}',
    made    timestamptz NOT NULL DEFAULT now(),
    expires timestamptz NOT NULL,
    used    timestamptz
);
CREATE UNIQUE INDEX token_open ON token (purpose, key, list) WHERE used IS NULL;
CREATE INDEX token_expires ON token (expires);

-- Who asked to join a list whose join_policy wants a moderator, until one decides.
CREATE TABLE join_request (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list     bigint NOT NULL REFERENCES list,
    key      text COLLATE "C" NOT NULL,
    address  text NOT NULL,
    name     text NOT NULL DEFAULT '',
    language text NOT NULL DEFAULT '',
    asked    timestamptz NOT NULL DEFAULT now(),
    consent  text NOT NULL DEFAULT '',
    consent_from text NOT NULL DEFAULT '',
    UNIQUE (list, key)
);
CREATE INDEX join_request_list ON join_request (list, id);

-- Keys of the seals (HMAC) in bounce and unsubscribe addresses. The newest makes seals, all verify.
CREATE TABLE site_key (
    id      smallint PRIMARY KEY CHECK (id BETWEEN 0 AND 63), -- six bits of a seal
    secret  bytea NOT NULL,
    made    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL, -- an address, "cli", "mail", or a client address
    action text NOT NULL,
    list   bigint REFERENCES list,
    params jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_list ON audit (list, id);

-- Counts what one client, address or domain did in a window, where every node must agree.
CREATE TABLE rate (
    key   text COLLATE "C" PRIMARY KEY,
    n     integer NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX rate_until ON rate (until);

-- The last slot of each scheduled task that some node fired.
CREATE TABLE clock (
    task      text PRIMARY KEY,
    last_slot timestamptz NOT NULL
);
