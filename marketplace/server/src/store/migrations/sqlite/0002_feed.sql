-- Hosts, what they are told, and kill orders. Expand only: the version before must still run.

-- One-time tokens by which hosts join, as hashes.
CREATE TABLE host_enrolments (
  token_hash TEXT NOT NULL PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('host', 'review', 'gateway')),
  region TEXT,
  made_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER
) STRICT;

-- The fleet: who joined with which keys, and what each said last. A name is never given again.
CREATE TABLE hosts (
  host TEXT NOT NULL PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('host', 'review', 'gateway')),
  region TEXT,
  address TEXT NOT NULL,
  signing_key TEXT NOT NULL UNIQUE,
  sealing_key TEXT NOT NULL,
  program TEXT NOT NULL,
  enrolled_ms INTEGER NOT NULL,
  retired_ms INTEGER,
  quarantined_ms INTEGER,
  quarantine TEXT,
  seen_ms INTEGER,
  boot TEXT,
  epoch INTEGER NOT NULL,
  n INTEGER NOT NULL,
  head TEXT NOT NULL,
  journal TEXT,
  journal_seq INTEGER NOT NULL,
  journal_head TEXT NOT NULL,
  running INTEGER NOT NULL
) STRICT;

-- What hosts found when they asked a candidate's declared check: the last answer of each.
CREATE TABLE host_checks (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  revision INTEGER NOT NULL,
  host TEXT NOT NULL REFERENCES hosts (host),
  passed INTEGER NOT NULL CHECK (passed IN (0, 1)),
  words TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation, revision, host)
) STRICT;

-- Revisions that a host cannot run, by its last report.
CREATE TABLE host_refusals (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  revision INTEGER NOT NULL,
  host TEXT NOT NULL REFERENCES hosts (host),
  code TEXT NOT NULL,
  words TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation, revision, host)
) STRICT;

-- Each subject of the feed as it is at the feed's head; moved with the head and by the sequencer alone.
CREATE TABLE feed_state (
  topic TEXT NOT NULL,
  subject TEXT NOT NULL,
  payload TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (topic, subject)
) STRICT;

-- The epochs of the feed that the root key began, each with the document that says so.
CREATE TABLE feed_epochs (
  epoch INTEGER NOT NULL PRIMARY KEY,
  envelope TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

-- Signed orders and lifts with every signature that is known of each. Nothing is ever taken back.
CREATE TABLE kill_documents (
  order_id TEXT NOT NULL,
  hash TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('order', 'lift')),
  envelope TEXT NOT NULL,
  complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (order_id, hash)
) STRICT;

-- What hosts signed that they stopped.
CREATE TABLE kill_receipts (
  order_id TEXT NOT NULL,
  host TEXT NOT NULL REFERENCES hosts (host),
  hash TEXT NOT NULL,
  envelope TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (order_id, host, hash)
) STRICT;

CREATE INDEX host_enrolments_by_end ON host_enrolments (expires_ms);
CREATE INDEX feed_state_by_number ON feed_state (n);
CREATE TRIGGER kill_documents_keep BEFORE DELETE ON kill_documents
BEGIN SELECT RAISE(ABORT, 'kill documents are kept'); END;
