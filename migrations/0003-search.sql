-- Searches kept by name, and one vector a track for "more like this".

CREATE TABLE searches (
    name     TEXT PRIMARY KEY,
    query    TEXT NOT NULL,
    saved_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The mean of a track's embeddings on a trunk. Derived, made when it is first asked for; whatever changes the
-- embeddings drops it.
CREATE TABLE centroids (
    track_id INTEGER NOT NULL REFERENCES tracks (id) ON DELETE CASCADE,
    trunk_id TEXT NOT NULL,
    vector   BLOB NOT NULL,  -- f32 little-endian, of length one
    PRIMARY KEY (track_id, trunk_id)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER centroids_follow_new_embeddings AFTER INSERT ON embeddings BEGIN
    DELETE FROM centroids WHERE track_id = NEW.track_id AND trunk_id = NEW.trunk_id;
END;
CREATE TRIGGER centroids_follow_embeddings AFTER UPDATE ON embeddings BEGIN
    DELETE FROM centroids WHERE track_id = NEW.track_id AND trunk_id = NEW.trunk_id;
END;
CREATE TRIGGER centroids_follow_lost_embeddings AFTER DELETE ON embeddings BEGIN
    DELETE FROM centroids WHERE track_id = OLD.track_id AND trunk_id = OLD.trunk_id;
END;
