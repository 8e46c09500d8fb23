-- Since when the graph is another by a commit, for the newest ones.

-- `earliest`: the graph as of earlier times is as it was. Commits of earlier versions have no row.
CREATE TABLE change_time (
    revision INTEGER PRIMARY KEY,
    earliest INTEGER NOT NULL,
    crc INTEGER NOT NULL
) STRICT;
