-- Behaviour review: what waits to be watched, and the passports that came of it. Expand only.

CREATE TABLE review_jobs (
  submission_id TEXT NOT NULL PRIMARY KEY REFERENCES submissions (submission_id),
  org TEXT NOT NULL REFERENCES orgs (org),
  findings TEXT NOT NULL,
  queued_ms INTEGER NOT NULL,
  taken_by TEXT REFERENCES hosts (host),
  taken_until_ms INTEGER NOT NULL,
  tries INTEGER NOT NULL
) STRICT;

CREATE TABLE passports (
  submission_id TEXT NOT NULL PRIMARY KEY REFERENCES submissions (submission_id),
  org TEXT NOT NULL REFERENCES orgs (org),
  digest TEXT NOT NULL,
  hash TEXT NOT NULL,
  envelope TEXT NOT NULL,
  made_ms INTEGER NOT NULL
) STRICT;
