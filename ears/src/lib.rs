//! The ears of deepcuts: a filter from paths to genres. They know no database, no tags, no terminal.
