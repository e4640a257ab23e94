-- Corrections that teach: locks, look-alikes, the user's taxonomy, and the models that came of them.

-- Said of the track itself, or taken over from a track that sounds like it. The latter never stand on another side
-- than their seed when a model is judged: they share its batch.
ALTER TABLE corrections ADD COLUMN origin TEXT NOT NULL DEFAULT 'said' CHECK (origin IN ('said', 'like'));

-- Tracks that are settled: no correction of their folder, their look-alikes or an import touches them.
CREATE TABLE locks (
    track_id INTEGER PRIMARY KEY REFERENCES tracks (id),
    batch    INTEGER,            -- of corrections, when it was set by one
    at_ms    INTEGER NOT NULL
) STRICT;

-- A merged genre keeps its row, so that the merge can be taken back: whoever reads follows merged_into.
ALTER TABLE genres ADD COLUMN merged_into INTEGER REFERENCES genres (id);
-- Other words for a genre: the user's aliases, and what a renamed one was called. A model's outputs find their
-- genre through them.
CREATE TABLE genre_words (
    slug     TEXT PRIMARY KEY,
    genre_id INTEGER NOT NULL REFERENCES genres (id)
) STRICT, WITHOUT ROWID;
-- What was done to the taxonomy, to take it back. Undone rows stay, as history.
CREATE TABLE genre_acts (
    id          INTEGER PRIMARY KEY,
    kind        TEXT NOT NULL CHECK (kind IN ('rename', 'merge', 'hide', 'show', 'alias', 'unalias')),
    genre_id    INTEGER NOT NULL REFERENCES genres (id),
    other_id    INTEGER REFERENCES genres (id),  -- merged into
    word        TEXT,                            -- of an alias
    before_slug TEXT NOT NULL,
    before_name TEXT NOT NULL,
    after_name  TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    undone_ms   INTEGER
) STRICT;

-- A candidate is a model that was not accepted yet: what it heard counts for nothing.
ALTER TABLE models ADD COLUMN candidate INTEGER NOT NULL DEFAULT 0;
-- Which model was put in force over which, and under which [ears] model of the settings: a change of the settings
-- after it wins over it.
CREATE TABLE promotions (
    id        INTEGER PRIMARY KEY,
    model_id  TEXT NOT NULL REFERENCES models (id),
    before_id TEXT REFERENCES models (id),
    settings  TEXT NOT NULL,
    how       TEXT NOT NULL CHECK (how IN ('retrained', 'chosen')),
    at_ms     INTEGER NOT NULL,
    undone_ms INTEGER
) STRICT;
-- The tracks whose corrections a model learned from: they do not judge it.
CREATE TABLE lessons (
    model_id TEXT NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    track_id INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
    PRIMARY KEY (model_id, track_id)
) STRICT, WITHOUT ROWID;
