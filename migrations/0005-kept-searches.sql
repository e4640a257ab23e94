-- Searches that the terminal UI kept in a list of its own become saved searches like all others.
INSERT OR IGNORE INTO searches (name, query, saved_ms)
    SELECT 'kept-' || (j.key + 1), j.value, 0
    FROM meta m, json_each(CASE WHEN json_valid(m.value) THEN m.value ELSE '[]' END) j
    WHERE m.key = 'kept_searches' AND j.type = 'text';

DELETE FROM meta WHERE key = 'kept_searches';
