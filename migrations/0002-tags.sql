-- The journal of what was written into files. A row is made durable before its file is touched ('intent'),
-- again before the swap ('ready', with the hashes of both contents and the way back), and after it ('done').
-- What is left in 'intent' or 'ready' by a process that has ended is resolved by looking at the disk.

CREATE TABLE tag_runs (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('tag', 'undo')),
    what       TEXT NOT NULL,     -- what was asked for, for people
    started_ms INTEGER NOT NULL,
    ended_ms   INTEGER
) STRICT;

CREATE TABLE tag_writes (
    id          INTEGER PRIMARY KEY,
    run_id      INTEGER NOT NULL REFERENCES tag_runs (id),
    file_id     INTEGER,          -- of files; kept when the file is forgotten
    path        BLOB NOT NULL,    -- of the file itself, links resolved
    path_text   TEXT NOT NULL,
    copy        BLOB NOT NULL,    -- of the hidden copy beside it
    state       TEXT NOT NULL CHECK (state IN ('intent', 'ready', 'done', 'refused', 'undone')),
    reason      TEXT,             -- why it was refused
    leftover    INTEGER NOT NULL DEFAULT 0,  -- the old content could not be removed from the copy's place
    owner       TEXT NOT NULL,    -- process that writes: its id and when it started
    at_ms       INTEGER NOT NULL,
    done_ms     INTEGER,
    old_genres  TEXT NOT NULL,    -- JSON lists
    new_genres  TEXT NOT NULL,
    old_written TEXT,             -- files.written_genres before
    old_hash    BLOB,             -- blake3 of the whole file, before and after
    new_hash    BLOB,
    patch       BLOB,             -- from the new content back to the old
    undoes      INTEGER REFERENCES tag_writes (id)
) STRICT;
CREATE INDEX tag_writes_by_run ON tag_writes (run_id);
CREATE INDEX tag_writes_by_file ON tag_writes (file_id);
CREATE INDEX tag_writes_left ON tag_writes (leftover) WHERE leftover;
-- The lock of a row: one write of a file at a time, whoever writes.
CREATE UNIQUE INDEX tag_writes_open ON tag_writes (path) WHERE state IN ('intent', 'ready');
