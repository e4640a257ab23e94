-- Which recording a write went into, so that an undo never takes another one for it, and which of the genres count as
-- ours when it is done, so that a write that a crash interrupted is labelled as it was meant. NULL in rows from before.
ALTER TABLE tag_writes ADD COLUMN audio BLOB;    -- hash of the encoded audio
ALTER TABLE tag_writes ADD COLUMN written TEXT;  -- JSON list; NULL where the genres are the file's own
CREATE INDEX tag_writes_by_audio ON tag_writes (audio);
