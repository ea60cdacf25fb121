-- Behaviour review: what waits to be watched, and the passports that came of it. Expand only.

CREATE TABLE review_jobs (
  submission_id TEXT COLLATE "C" PRIMARY KEY REFERENCES submissions (submission_id),
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  findings TEXT COLLATE "C" NOT NULL,
  queued_ms BIGINT NOT NULL,
  taken_by TEXT COLLATE "C" REFERENCES hosts (host),
  taken_until_ms BIGINT NOT NULL,
  tries BIGINT NOT NULL
);

CREATE TABLE passports (
  submission_id TEXT COLLATE "C" PRIMARY KEY REFERENCES submissions (submission_id),
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  digest TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL,
  made_ms BIGINT NOT NULL
);

ALTER TABLE review_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE review_jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON review_jobs TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE passports ENABLE ROW LEVEL SECURITY;
ALTER TABLE passports FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON passports TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON passports TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT ON passports TO soma_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON review_jobs TO soma_worker;
GRANT SELECT, INSERT ON passports TO soma_worker;
