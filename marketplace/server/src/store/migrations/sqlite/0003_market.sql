-- Publishers' names, releases, the catalogue and installations. Expand only: the version before must still run.

-- Who answers for a service account: its natural person wherever persons count.
CREATE TABLE account_keepers (
  org TEXT NOT NULL REFERENCES orgs (org),
  account TEXT NOT NULL,
  user_id TEXT NOT NULL REFERENCES users (user_id),
  PRIMARY KEY (org, account)
) STRICT;

-- Who left an org, for as long as they count as one of it in reviews.
CREATE TABLE former_members (
  org TEXT NOT NULL REFERENCES orgs (org),
  user_id TEXT NOT NULL REFERENCES users (user_id),
  left_ms INTEGER NOT NULL,
  PRIMARY KEY (org, user_id)
) STRICT;

-- Publishers' names. The record is the whole of it; the columns are for queries.
CREATE TABLE namespaces (
  namespace TEXT NOT NULL PRIMARY KEY,
  org TEXT NOT NULL REFERENCES orgs (org),
  checked INTEGER NOT NULL CHECK (checked IN (0, 1)),
  sequence INTEGER NOT NULL,
  record TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

-- Whose signature counts for a publisher. What was revoked stays, so that it cannot come back unseen.
CREATE TABLE signing_keys (
  namespace TEXT NOT NULL REFERENCES namespaces (namespace),
  key_id TEXT NOT NULL,
  org TEXT NOT NULL REFERENCES orgs (org),
  spki TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  added_by TEXT NOT NULL,
  added_ms INTEGER NOT NULL,
  revoked_ms INTEGER,
  PRIMARY KEY (namespace, key_id)
) STRICT;

-- Names of capsules, with what the catalogue shows of the newest release that can be installed.
CREATE TABLE capsules (
  capsule TEXT NOT NULL PRIMARY KEY,
  namespace TEXT NOT NULL REFERENCES namespaces (namespace),
  org TEXT NOT NULL REFERENCES orgs (org),
  sequence INTEGER NOT NULL,
  record TEXT NOT NULL,
  latest TEXT,
  kind TEXT NOT NULL,
  summary TEXT NOT NULL,
  licence TEXT NOT NULL,
  price_micros INTEGER NOT NULL,
  price_currency TEXT,
  published_ms INTEGER,
  stars INTEGER NOT NULL,
  ratings INTEGER NOT NULL,
  installs INTEGER NOT NULL
) STRICT;

-- Words and properties by which the catalogue is searched, and shapes by which similar names are found.
CREATE TABLE catalogue_tokens (
  token TEXT NOT NULL,
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  PRIMARY KEY (token, capsule)
) STRICT;

-- Names and versions. A digest is bound to one of them by a review.
CREATE TABLE releases (
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  version TEXT NOT NULL,
  namespace TEXT NOT NULL REFERENCES namespaces (namespace),
  org TEXT NOT NULL REFERENCES orgs (org),
  state TEXT NOT NULL CHECK (state IN ('draft', 'submitted', 'verifying', 'in_review', 'needs_revision', 'rejected', 'approved', 'published', 'deprecated', 'yanked', 'revoked')),
  sequence INTEGER NOT NULL,
  record TEXT NOT NULL,
  digest TEXT UNIQUE,
  published_ms INTEGER,
  revoked_ms INTEGER,
  PRIMARY KEY (capsule, version)
) STRICT;

-- Attempts: what was submitted and what was found in it. The state is the release's while the attempt is the present one.
CREATE TABLE submissions (
  submission_id TEXT NOT NULL PRIMARY KEY,
  org TEXT NOT NULL REFERENCES orgs (org),
  capsule TEXT NOT NULL,
  version TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('submitted', 'verifying', 'in_review', 'needs_revision', 'rejected', 'approved', 'published', 'deprecated', 'yanked', 'revoked', 'replaced')),
  digest TEXT NOT NULL,
  signer TEXT NOT NULL,
  manifest TEXT NOT NULL,
  imports TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  sbom TEXT,
  provenance TEXT,
  submitted_ms INTEGER NOT NULL,
  UNIQUE (capsule, version, attempt),
  FOREIGN KEY (capsule, version) REFERENCES releases (capsule, version)
) STRICT;

-- What authors ask. An offer never changes: another price is another one.
CREATE TABLE offers (
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  offer TEXT NOT NULL,
  org TEXT NOT NULL REFERENCES orgs (org),
  record TEXT NOT NULL,
  made_ms INTEGER NOT NULL,
  PRIMARY KEY (capsule, offer)
) STRICT;

-- Installations: the record with its active, previous and candidate revision, and the change that hosts acknowledge.
CREATE TABLE installations (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  state TEXT NOT NULL CHECK (state IN ('gating', 'pending', 'active', 'removed')),
  sequence INTEGER NOT NULL,
  record TEXT NOT NULL,
  digest TEXT NOT NULL,
  candidate TEXT,
  change_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
) STRICT;

-- Every revision that ever was, as it was made.
CREATE TABLE revisions (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  revision INTEGER NOT NULL,
  capsule TEXT NOT NULL,
  version TEXT NOT NULL,
  digest TEXT NOT NULL,
  offer TEXT NOT NULL,
  record TEXT NOT NULL,
  made_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation, revision),
  FOREIGN KEY (org, environment, installation) REFERENCES installations (org, environment, installation)
) STRICT;

-- Settled calls of a candidate and of the active revision since a gate opened.
CREATE TABLE gate_tallies (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  candidate INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  ok INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation, candidate, revision),
  FOREIGN KEY (org, environment, installation) REFERENCES installations (org, environment, installation)
) STRICT;

-- How often a tenant ran a capsule, by settled receipts, and which version last.
CREATE TABLE capsule_runs (
  org TEXT NOT NULL REFERENCES orgs (org),
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  version TEXT NOT NULL,
  calls INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (org, capsule)
) STRICT;

-- What tenants say of capsules that they ran.
CREATE TABLE ratings (
  org TEXT NOT NULL REFERENCES orgs (org),
  capsule TEXT NOT NULL REFERENCES capsules (capsule),
  stars INTEGER NOT NULL,
  record TEXT NOT NULL,
  rated_ms INTEGER NOT NULL,
  PRIMARY KEY (org, capsule)
) STRICT;

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
CREATE TRIGGER revisions_freeze BEFORE UPDATE ON revisions
BEGIN SELECT RAISE(ABORT, 'revisions never change'); END;
CREATE TRIGGER offers_freeze BEFORE UPDATE ON offers
WHEN OLD.record IS NOT NEW.record OR OLD.offer IS NOT NEW.offer OR OLD.capsule IS NOT NEW.capsule
BEGIN SELECT RAISE(ABORT, 'offers never change'); END;
