-- Publishers' names, releases, the catalogue and installations. Expand only: the version before must still run.

-- Who answers for a service account: its natural person wherever persons count.
CREATE TABLE account_keepers (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  account TEXT COLLATE "C" NOT NULL,
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  PRIMARY KEY (org, account)
);

-- Who left an org, for as long as they count as one of it in reviews.
CREATE TABLE former_members (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  left_ms BIGINT NOT NULL,
  PRIMARY KEY (org, user_id)
);

-- Publishers' names. The record is the whole of it; the columns are for queries.
CREATE TABLE namespaces (
  namespace TEXT COLLATE "C" PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  checked BOOLEAN NOT NULL,
  sequence BIGINT NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL
);

-- Whose signature counts for a publisher. What was revoked stays, so that it cannot come back unseen.
CREATE TABLE signing_keys (
  namespace TEXT COLLATE "C" NOT NULL REFERENCES namespaces (namespace),
  key_id TEXT COLLATE "C" NOT NULL,
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  spki TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  added_by TEXT COLLATE "C" NOT NULL,
  added_ms BIGINT NOT NULL,
  revoked_ms BIGINT,
  PRIMARY KEY (namespace, key_id)
);

-- Names of capsules, with what the catalogue shows of the newest release that can be installed.
CREATE TABLE capsules (
  capsule TEXT COLLATE "C" PRIMARY KEY,
  namespace TEXT COLLATE "C" NOT NULL REFERENCES namespaces (namespace),
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  sequence BIGINT NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  latest TEXT COLLATE "C",
  kind TEXT COLLATE "C" NOT NULL,
  summary TEXT COLLATE "C" NOT NULL,
  licence TEXT COLLATE "C" NOT NULL,
  price_micros BIGINT NOT NULL,
  price_currency TEXT COLLATE "C",
  published_ms BIGINT,
  stars BIGINT NOT NULL,
  ratings BIGINT NOT NULL,
  installs BIGINT NOT NULL
);

-- Words and properties by which the catalogue is searched, and shapes by which similar names are found.
CREATE TABLE catalogue_tokens (
  token TEXT COLLATE "C" NOT NULL,
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  PRIMARY KEY (token, capsule)
);

-- Names and versions. A digest is bound to one of them by a review.
CREATE TABLE releases (
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  version TEXT COLLATE "C" NOT NULL,
  namespace TEXT COLLATE "C" NOT NULL REFERENCES namespaces (namespace),
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('draft', 'submitted', 'verifying', 'in_review', 'needs_revision', 'rejected', 'approved', 'published', 'deprecated', 'yanked', 'revoked')),
  sequence BIGINT NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" UNIQUE,
  published_ms BIGINT,
  revoked_ms BIGINT,
  PRIMARY KEY (capsule, version)
);

-- Attempts: what was submitted and what was found in it. The state is the release's while the attempt is the present one.
CREATE TABLE submissions (
  submission_id TEXT COLLATE "C" PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  capsule TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  attempt BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('submitted', 'verifying', 'in_review', 'needs_revision', 'rejected', 'approved', 'published', 'deprecated', 'yanked', 'revoked', 'replaced')),
  digest TEXT COLLATE "C" NOT NULL,
  signer TEXT COLLATE "C" NOT NULL,
  manifest TEXT COLLATE "C" NOT NULL,
  imports TEXT COLLATE "C" NOT NULL,
  bytes BIGINT NOT NULL,
  sbom TEXT COLLATE "C",
  provenance TEXT COLLATE "C",
  submitted_ms BIGINT NOT NULL,
  UNIQUE (capsule, version, attempt),
  FOREIGN KEY (capsule, version) REFERENCES releases (capsule, version)
);

-- What authors ask. An offer never changes: another price is another one.
CREATE TABLE offers (
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  offer TEXT COLLATE "C" NOT NULL,
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  record TEXT COLLATE "C" NOT NULL,
  made_ms BIGINT NOT NULL,
  PRIMARY KEY (capsule, offer)
);

-- Installations: the record with its active, previous and candidate revision, and the change that hosts acknowledge.
CREATE TABLE installations (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('gating', 'pending', 'active', 'removed')),
  sequence BIGINT NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  candidate TEXT COLLATE "C",
  change_id TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
);

-- Every revision that ever was, as it was made.
CREATE TABLE revisions (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  capsule TEXT COLLATE "C" NOT NULL,
  version TEXT COLLATE "C" NOT NULL,
  digest TEXT COLLATE "C" NOT NULL,
  offer TEXT COLLATE "C" NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  made_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation, revision),
  FOREIGN KEY (org, environment, installation) REFERENCES installations (org, environment, installation)
);

-- Settled calls of a candidate and of the active revision since a gate opened.
CREATE TABLE gate_tallies (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  candidate BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  ok BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation, candidate, revision),
  FOREIGN KEY (org, environment, installation) REFERENCES installations (org, environment, installation)
);

-- How often a tenant ran a capsule, by settled receipts, and which version last.
CREATE TABLE capsule_runs (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  version TEXT COLLATE "C" NOT NULL,
  calls BIGINT NOT NULL,
  last_ms BIGINT NOT NULL,
  PRIMARY KEY (org, capsule)
);

-- What tenants say of capsules that they ran.
CREATE TABLE ratings (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  capsule TEXT COLLATE "C" NOT NULL REFERENCES capsules (capsule),
  stars BIGINT NOT NULL,
  record TEXT COLLATE "C" NOT NULL,
  rated_ms BIGINT NOT NULL,
  PRIMARY KEY (org, capsule)
);

CREATE INDEX former_members_by_time ON former_members (left_ms);
CREATE INDEX namespaces_by_org ON namespaces (org, namespace);
CREATE INDEX capsules_by_namespace ON capsules (namespace);
CREATE INDEX catalogue_tokens_by_capsule ON catalogue_tokens (capsule);
CREATE INDEX releases_by_namespace ON releases (namespace, state);
CREATE INDEX submissions_by_state ON submissions (state, submission_id);
CREATE INDEX submissions_by_org ON submissions (org, submission_id);
CREATE INDEX installations_by_capsule ON installations (capsule, state);
CREATE INDEX installations_unsettled ON installations (state) WHERE state IN ('gating', 'pending');
CREATE INDEX revisions_by_capsule ON revisions (org, capsule, made_ms);
CREATE INDEX ratings_by_capsule ON ratings (capsule, org);
CREATE TRIGGER revisions_freeze BEFORE UPDATE ON revisions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION offers_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.record, OLD.offer, OLD.capsule) IS DISTINCT FROM (NEW.record, NEW.offer, NEW.capsule) THEN
    RAISE EXCEPTION 'offers never change' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER offers_freeze BEFORE UPDATE ON offers FOR EACH ROW EXECUTE FUNCTION offers_stay();

ALTER TABLE account_keepers ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_keepers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON account_keepers TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON account_keepers TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE former_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE former_members FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON former_members TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON former_members TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE namespaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE namespaces FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON namespaces TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON namespaces TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON signing_keys TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON signing_keys TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE capsules ENABLE ROW LEVEL SECURITY;
ALTER TABLE capsules FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON capsules TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON capsules TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE catalogue_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE catalogue_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON catalogue_tokens TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE releases ENABLE ROW LEVEL SECURITY;
ALTER TABLE releases FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON releases TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON releases TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE submissions ENABLE ROW LEVEL SECURITY;
ALTER TABLE submissions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON submissions TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON submissions TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE offers ENABLE ROW LEVEL SECURITY;
ALTER TABLE offers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON offers TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON offers TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE installations ENABLE ROW LEVEL SECURITY;
ALTER TABLE installations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON installations TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON installations TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE revisions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON revisions TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON revisions TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE gate_tallies ENABLE ROW LEVEL SECURITY;
ALTER TABLE gate_tallies FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON gate_tallies TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON gate_tallies TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE capsule_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE capsule_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON capsule_runs TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON capsule_runs TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE ratings ENABLE ROW LEVEL SECURITY;
ALTER TABLE ratings FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON ratings TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON ratings TO soma_worker USING (true) WITH CHECK (true);

-- Tenants read what is theirs; every change is a worker's, by the rules.
GRANT SELECT ON namespaces, signing_keys, releases, submissions, offers, installations, revisions, gate_tallies, capsule_runs, ratings TO soma_app;
GRANT SELECT ON account_keepers TO soma_app;
GRANT INSERT, UPDATE, DELETE ON account_keepers TO soma_app;
GRANT SELECT, INSERT, UPDATE ON former_members TO soma_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON account_keepers, former_members, namespaces, signing_keys, capsules, catalogue_tokens, releases, submissions,
  offers, installations, gate_tallies, capsule_runs, ratings TO soma_worker;
GRANT SELECT, INSERT ON revisions TO soma_worker;
