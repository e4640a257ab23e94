-- The library. Times are milliseconds since 1970 (UTC) unless a name says otherwise; paths are bytes, with a
-- lossy text beside them for display. What the file said (files), what the model heard (analyses) and what
-- the user said (corrections) are three things; mixes and shares are what follows from them, kept in the
-- same transaction as their cause.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE roots (
    id            INTEGER PRIMARY KEY,
    path          BLOB NOT NULL UNIQUE,
    path_text     TEXT NOT NULL,
    state         TEXT NOT NULL DEFAULT 'present' CHECK (state IN ('present', 'missing')),
    reconciled_ms INTEGER
) STRICT;

-- A recording, known by the hash of its encoded audio.
CREATE TABLE tracks (
    id             INTEGER PRIMARY KEY,
    audio          BLOB NOT NULL UNIQUE CHECK (length(audio) = 32),
    added_ms       INTEGER NOT NULL,
    duration_ms    INTEGER,
    sample_rate_hz INTEGER,
    channels       INTEGER,
    codec          TEXT
) STRICT;

-- A path. Copies of one recording are several files of one track.
CREATE TABLE files (
    id               INTEGER PRIMARY KEY,
    path             BLOB NOT NULL UNIQUE,
    path_text        TEXT NOT NULL,
    track_id         INTEGER NOT NULL REFERENCES tracks (id),
    format           TEXT NOT NULL,
    dev              INTEGER NOT NULL,
    ino              INTEGER NOT NULL,
    size             INTEGER NOT NULL,
    mtime_ns         INTEGER NOT NULL,
    ctime_ns         INTEGER NOT NULL,
    state            TEXT NOT NULL DEFAULT 'present' CHECK (state IN ('present', 'missing')),
    missing_since_ms INTEGER,
    added_ms         INTEGER NOT NULL,
    title            TEXT,
    artist           TEXT,
    album            TEXT,
    album_artist     TEXT,
    year             INTEGER,
    track_no         INTEGER,
    disc_no          INTEGER,
    genres           TEXT NOT NULL DEFAULT '[]',  -- as read from the file, a JSON list
    written_genres   TEXT                         -- what we last wrote into it, a JSON list
) STRICT;
CREATE INDEX files_by_track ON files (track_id);
CREATE INDEX files_by_inode ON files (ino, dev);

CREATE TABLE genres (
    id     INTEGER PRIMARY KEY,
    slug   TEXT NOT NULL UNIQUE,
    name   TEXT NOT NULL,
    hidden INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Weights are files that never change; a model's id is their hash. The current one is meta 'current_model'.
CREATE TABLE models (
    id       TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    path     BLOB NOT NULL,
    card     TEXT NOT NULL,
    parent   TEXT,
    added_ms INTEGER NOT NULL
) STRICT;

-- What a model heard. Winners index the genres of the model's card, 255 is unsure; one byte a chunk each.
CREATE TABLE analyses (
    id              INTEGER PRIMARY KEY,
    track_id        INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
    model_id        TEXT NOT NULL REFERENCES models (id),
    feature_version INTEGER NOT NULL,
    start_ms        INTEGER NOT NULL,
    chunk_ms        INTEGER NOT NULL CHECK (chunk_ms > 0),
    winners         BLOB NOT NULL CHECK (length(winners) > 0),
    scores          BLOB NOT NULL CHECK (length(scores) = length(winners)),
    heard_ms        INTEGER NOT NULL,
    UNIQUE (track_id, model_id)
) STRICT;
CREATE INDEX analyses_by_model ON analyses (model_id);
CREATE INDEX analyses_by_time ON analyses (heard_ms);

-- The same for every head on one trunk: a new head names the genres again from these.
CREATE TABLE embeddings (
    track_id        INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
    trunk_id        TEXT NOT NULL,
    feature_version INTEGER NOT NULL,
    dim             INTEGER NOT NULL,
    stride          INTEGER NOT NULL CHECK (stride > 0),
    scales          BLOB NOT NULL,  -- f32 little-endian, one a row
    rows            BLOB NOT NULL,  -- i8, row-major
    PRIMARY KEY (track_id, trunk_id)
) STRICT, WITHOUT ROWID;

-- What a track is made of as search, tags and display see it: the user's word, else the model's, else the file's.
CREATE TABLE mixes (
    track_id INTEGER PRIMARY KEY REFERENCES tracks (id) ON DELETE CASCADE,
    source   TEXT NOT NULL CHECK (source IN ('user', 'model', 'file')),
    chunks   INTEGER NOT NULL CHECK (chunks > 0),
    unsure   INTEGER NOT NULL CHECK (unsure BETWEEN 0 AND chunks)
) STRICT;
CREATE TABLE shares (
    track_id INTEGER NOT NULL REFERENCES mixes (track_id) ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genres (id),
    won      INTEGER NOT NULL CHECK (won > 0),
    PRIMARY KEY (track_id, genre_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX shares_by_genre ON shares (genre_id);

-- Files that could not be heard; skipped until they change or are asked for again.
CREATE TABLE failures (
    path      BLOB PRIMARY KEY,
    path_text TEXT NOT NULL,
    dev       INTEGER NOT NULL,
    ino       INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    mtime_ns  INTEGER NOT NULL,
    ctime_ns  INTEGER NOT NULL,
    stage     TEXT NOT NULL,
    reason    TEXT NOT NULL,
    at_ms     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the user said. A span of null is the whole track. Undone rows stay, as history.
CREATE TABLE corrections (
    id            INTEGER PRIMARY KEY,
    track_id      INTEGER NOT NULL REFERENCES tracks (id),
    span_start_ms INTEGER,
    span_end_ms   INTEGER,
    batch         INTEGER NOT NULL,  -- corrections made by one act share it
    at_ms         INTEGER NOT NULL,
    undone_ms     INTEGER,
    CHECK ((span_start_ms IS NULL) = (span_end_ms IS NULL)),
    CHECK (span_start_ms IS NULL OR span_start_ms < span_end_ms)
) STRICT;
CREATE INDEX corrections_by_track ON corrections (track_id);
CREATE TABLE correction_genres (
    correction_id INTEGER NOT NULL REFERENCES corrections (id) ON DELETE CASCADE,
    genre_id      INTEGER NOT NULL REFERENCES genres (id),
    weight        INTEGER NOT NULL CHECK (weight > 0),
    PRIMARY KEY (correction_id, genre_id)
) STRICT, WITHOUT ROWID;

-- What the search index has still to learn: one row whenever something searchable of a file changes.
CREATE TABLE changes (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    file_id INTEGER NOT NULL
) STRICT;
