-- Identity, tenants, audit and the numbered streams. Expand only: the version before must still run.

-- One row: who this deployment is, and whether its first operator has come.
CREATE TABLE deployment (
  singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
  deployment_id TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  bootstrap_hash TEXT NOT NULL,
  bootstrapped_ms INTEGER
) STRICT;

-- The only owners.
CREATE TABLE orgs (
  org TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  is_tenant INTEGER NOT NULL CHECK (is_tenant IN (0, 1)),
  is_publisher INTEGER NOT NULL CHECK (is_publisher IN (0, 1)),
  is_platform INTEGER NOT NULL CHECK (is_platform IN (0, 1)),
  region TEXT,
  state TEXT NOT NULL CHECK (state IN ('active', 'closed')),
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

-- What installations, addresses, secrets and budgets are scoped by.
CREATE TABLE environments (
  org TEXT NOT NULL REFERENCES orgs (org),
  environment TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('production', 'staging', 'development')),
  region TEXT,
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment)
) STRICT;

-- Natural persons by a pseudonymous id. They outlive their personal data.
CREATE TABLE users (
  user_id TEXT NOT NULL PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('active', 'locked', 'erased')),
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;

-- Personal data: erased on request, and nothing refers to it.
CREATE TABLE user_profiles (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (user_id),
  login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  email TEXT
) STRICT;

-- Argon2id hashes and what failed against them.
CREATE TABLE user_passwords (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (user_id),
  hash TEXT NOT NULL,
  changed_ms INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  blocked_until_ms INTEGER NOT NULL
) STRICT;

-- Second factors: sealed secrets, and the last step that was used.
CREATE TABLE user_totps (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (user_id),
  sealed TEXT NOT NULL,
  last_step INTEGER NOT NULL,
  confirmed_ms INTEGER
) STRICT;

-- Hashes of the codes that replace a lost second factor, once each.
CREATE TABLE recovery_codes (
  user_id TEXT NOT NULL REFERENCES users (user_id),
  code_hash TEXT NOT NULL,
  used_ms INTEGER,
  PRIMARY KEY (user_id, code_hash)
) STRICT;

-- Which person acts for which org, and as what.
CREATE TABLE memberships (
  org TEXT NOT NULL REFERENCES orgs (org),
  user_id TEXT NOT NULL REFERENCES users (user_id),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'auditor', 'billing', 'reviewer', 'operator')),
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, user_id)
) STRICT;

-- Offers of a membership, taken once by whoever holds the code.
CREATE TABLE invitations (
  org TEXT NOT NULL REFERENCES orgs (org),
  invitation_id TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'auditor', 'billing', 'reviewer', 'operator')),
  invited_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  used_ms INTEGER,
  PRIMARY KEY (org, invitation_id),
  UNIQUE (org, code_hash)
) STRICT;

-- Programs that act for an org.
CREATE TABLE service_accounts (
  org TEXT NOT NULL REFERENCES orgs (org),
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  caps TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('active', 'disabled')),
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, account)
) STRICT;

-- Long-lived keys of service accounts, as hashes; exchanged for tokens.
CREATE TABLE api_keys (
  org TEXT NOT NULL,
  key_id TEXT NOT NULL,
  account TEXT NOT NULL,
  environment TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  caps TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  revoked_ms INTEGER,
  PRIMARY KEY (org, key_id),
  FOREIGN KEY (org, account) REFERENCES service_accounts (org, account),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
) STRICT;

-- Logins that may be refreshed. A refresh code is good once; an old one ends the session.
CREATE TABLE sessions (
  session_id TEXT NOT NULL PRIMARY KEY,
  user_id TEXT NOT NULL REFERENCES users (user_id),
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  acr TEXT NOT NULL CHECK (acr IN ('aal1', 'aal2')),
  authenticated_ms INTEGER NOT NULL,
  refresh_hash TEXT NOT NULL UNIQUE,
  spent_hash TEXT UNIQUE,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
) STRICT;

-- Keys that sign tokens: published before they sign, and until their last token has ended.
CREATE TABLE issuer_keys (
  kid TEXT NOT NULL PRIMARY KEY,
  x TEXT NOT NULL,
  y TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  signs_from_ms INTEGER NOT NULL,
  signs_until_ms INTEGER,
  verifies_until_ms INTEGER
) STRICT;

-- Tokens that no longer count: one by one, or all of a subject, an org or a key up to a moment.
CREATE TABLE revocations (
  org TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('token', 'subject', 'org', 'key')),
  subject TEXT NOT NULL,
  before_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY (org, kind, subject)
) STRICT;

-- Answers that were given, stored with their effect.
CREATE TABLE idempotency (
  org TEXT NOT NULL,
  principal TEXT NOT NULL,
  method TEXT NOT NULL,
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status INTEGER NOT NULL,
  location TEXT,
  etag TEXT,
  body TEXT,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  PRIMARY KEY (org, principal, method, route, key)
) STRICT;

-- What happened, append-only. The sequencer alone sets seq, prev and hash, once.
CREATE TABLE audit_entries (
  org TEXT NOT NULL,
  audit_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  seq INTEGER UNIQUE,
  prev TEXT,
  hash TEXT,
  PRIMARY KEY (org, audit_id),
  CHECK ((seq IS NULL) = (hash IS NULL) AND (seq IS NULL) = (prev IS NULL))
) STRICT;

-- Signed heads of the chain; the same lines are kept outside of the database.
CREATE TABLE audit_checkpoints (
  seq INTEGER NOT NULL PRIMARY KEY,
  head TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  envelope TEXT NOT NULL
) STRICT;

-- What hosts and subscribers must be told, written with its effect and numbered once it is committed.
CREATE TABLE changes (
  org TEXT NOT NULL,
  change_id TEXT NOT NULL,
  stream TEXT NOT NULL CHECK (stream IN ('feed', 'outbox')),
  topic TEXT NOT NULL,
  subject TEXT NOT NULL,
  payload TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  seq INTEGER,
  prev TEXT,
  hash TEXT,
  PRIMARY KEY (org, change_id),
  UNIQUE (stream, seq),
  CHECK ((seq IS NULL) = (hash IS NULL) AND (seq IS NULL) = (prev IS NULL))
) STRICT;

-- One head per stream, moved only by whoever holds the fence.
CREATE TABLE sequences (
  stream TEXT NOT NULL PRIMARY KEY CHECK (stream IN ('audit', 'feed', 'outbox')),
  fence INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  head TEXT NOT NULL
) STRICT;

CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX audit_unchained ON audit_entries (at_ms, audit_id) WHERE seq IS NULL;
CREATE INDEX audit_by_org ON audit_entries (org, at_ms, audit_id);
CREATE INDEX changes_unnumbered ON changes (stream, at_ms, change_id) WHERE seq IS NULL;
CREATE INDEX idempotency_by_end ON idempotency (expires_ms);
CREATE INDEX revocations_by_end ON revocations (expires_ms);
-- An entry is never taken back, and changes once: when it is chained.
CREATE TRIGGER audit_entries_keep BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
CREATE TRIGGER audit_entries_freeze BEFORE UPDATE ON audit_entries
WHEN OLD.seq IS NOT NULL OR OLD.org IS NOT NEW.org OR OLD.audit_id IS NOT NEW.audit_id OR OLD.at_ms IS NOT NEW.at_ms
  OR OLD.actor IS NOT NEW.actor OR OLD.kind IS NOT NEW.kind OR OLD.subject IS NOT NEW.subject
  OR OLD.detail IS NOT NEW.detail OR OLD.trace_id IS NOT NEW.trace_id
BEGIN SELECT RAISE(ABORT, 'audit entries are append-only'); END;
CREATE TRIGGER audit_checkpoints_keep BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are append-only'); END;
CREATE TRIGGER audit_checkpoints_freeze BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'audit checkpoints are append-only'); END;

INSERT INTO sequences (stream, fence, epoch, seq, head) VALUES
  ('audit', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000'), ('feed', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000'), ('outbox', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000');
