-- Constitutions as operators signed them: proposals, and those that hold or held. Nothing is ever taken back.
-- Expand only.

CREATE TABLE constitutions (
  digest TEXT COLLATE "C" PRIMARY KEY,
  version BIGINT NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL,
  put_by TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  activated_ms BIGINT
);

CREATE INDEX constitutions_by_version ON constitutions (version);
CREATE UNIQUE INDEX constitutions_one_of_a_version ON constitutions (version) WHERE activated_ms IS NOT NULL;
CREATE TRIGGER constitutions_keep BEFORE DELETE ON constitutions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER constitutions_whole BEFORE TRUNCATE ON constitutions EXECUTE FUNCTION refuse_change();

ALTER TABLE constitutions ENABLE ROW LEVEL SECURITY;
ALTER TABLE constitutions FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON constitutions TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON constitutions TO soma_worker;
