-- Constitutions as operators signed them: proposals, and those that hold or held. Nothing is ever taken back.
-- Expand only.

CREATE TABLE constitutions (
  digest TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  envelope TEXT NOT NULL,
  put_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  activated_ms INTEGER
) STRICT;

CREATE INDEX constitutions_by_version ON constitutions (version);
CREATE UNIQUE INDEX constitutions_one_of_a_version ON constitutions (version) WHERE activated_ms IS NOT NULL;
CREATE TRIGGER constitutions_keep BEFORE DELETE ON constitutions
BEGIN SELECT RAISE(ABORT, 'constitutions are kept'); END;
