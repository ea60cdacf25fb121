-- Hosts, what they are told, and kill orders. Expand only: the version before must still run.

-- One-time tokens by which hosts join, as hashes.
CREATE TABLE host_enrolments (
  token_hash TEXT COLLATE "C" PRIMARY KEY,
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('host', 'review', 'gateway')),
  region TEXT COLLATE "C",
  made_by TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  used_ms BIGINT
);

-- The fleet: who joined with which keys, and what each said last. A name is never given again.
CREATE TABLE hosts (
  host TEXT COLLATE "C" PRIMARY KEY,
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('host', 'review', 'gateway')),
  region TEXT COLLATE "C",
  address TEXT COLLATE "C" NOT NULL,
  signing_key TEXT COLLATE "C" NOT NULL UNIQUE,
  sealing_key TEXT COLLATE "C" NOT NULL,
  program TEXT COLLATE "C" NOT NULL,
  enrolled_ms BIGINT NOT NULL,
  retired_ms BIGINT,
  quarantined_ms BIGINT,
  quarantine TEXT COLLATE "C",
  seen_ms BIGINT,
  boot TEXT COLLATE "C",
  epoch BIGINT NOT NULL,
  n BIGINT NOT NULL,
  head TEXT COLLATE "C" NOT NULL,
  journal TEXT COLLATE "C",
  journal_seq BIGINT NOT NULL,
  journal_head TEXT COLLATE "C" NOT NULL,
  running BIGINT NOT NULL
);

-- What hosts found when they asked a candidate's declared check: the last answer of each.
CREATE TABLE host_checks (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  host TEXT COLLATE "C" NOT NULL REFERENCES hosts (host),
  passed BOOLEAN NOT NULL,
  words TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation, revision, host)
);

-- Revisions that a host cannot run, by its last report.
CREATE TABLE host_refusals (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  host TEXT COLLATE "C" NOT NULL REFERENCES hosts (host),
  code TEXT COLLATE "C" NOT NULL,
  words TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation, revision, host)
);

-- Each subject of the feed as it is at the feed's head; moved with the head and by the sequencer alone.
CREATE TABLE feed_state (
  topic TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  payload TEXT COLLATE "C" NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (topic, subject)
);

-- The epochs of the feed that the root key began, each with the document that says so.
CREATE TABLE feed_epochs (
  epoch BIGINT PRIMARY KEY,
  envelope TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL
);

-- Signed orders and lifts with every signature that is known of each. Nothing is ever taken back.
CREATE TABLE kill_documents (
  order_id TEXT COLLATE "C" NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('order', 'lift')),
  envelope TEXT COLLATE "C" NOT NULL,
  complete BOOLEAN NOT NULL,
  since_ms BIGINT NOT NULL,
  PRIMARY KEY (order_id, hash)
);

-- What hosts signed that they stopped.
CREATE TABLE kill_receipts (
  order_id TEXT COLLATE "C" NOT NULL,
  host TEXT COLLATE "C" NOT NULL REFERENCES hosts (host),
  hash TEXT COLLATE "C" NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (order_id, host, hash)
);

CREATE INDEX host_enrolments_by_end ON host_enrolments (expires_ms);
CREATE INDEX feed_state_by_number ON feed_state (n);
CREATE TRIGGER kill_documents_keep BEFORE DELETE ON kill_documents FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kill_documents_whole BEFORE TRUNCATE ON kill_documents EXECUTE FUNCTION refuse_change();

ALTER TABLE host_checks ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_checks FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON host_checks TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON host_checks TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE host_refusals ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_refusals FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON host_refusals TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON host_refusals TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE host_enrolments ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_enrolments FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON host_enrolments TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE hosts ENABLE ROW LEVEL SECURITY;
ALTER TABLE hosts FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON hosts TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE feed_state ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed_state FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON feed_state TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE feed_epochs ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed_epochs FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON feed_epochs TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE kill_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE kill_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON kill_documents TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE kill_receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE kill_receipts FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON kill_receipts TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT ON host_checks, host_refusals TO soma_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON host_enrolments, host_checks, host_refusals, feed_state TO soma_worker;
GRANT SELECT, INSERT, UPDATE ON hosts, kill_documents TO soma_worker;
GRANT SELECT, INSERT ON kill_receipts, feed_epochs TO soma_worker;
