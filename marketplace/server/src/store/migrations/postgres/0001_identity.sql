-- Identity, tenants, audit and the numbered streams. Expand only: the version before must still run.

-- One row: who this deployment is, and whether its first operator has come.
CREATE TABLE deployment (
  singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
  deployment_id TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  bootstrap_hash TEXT COLLATE "C" NOT NULL,
  bootstrapped_ms BIGINT
);

-- The only owners.
CREATE TABLE orgs (
  org TEXT COLLATE "C" PRIMARY KEY,
  name TEXT COLLATE "C" NOT NULL,
  is_tenant BOOLEAN NOT NULL,
  is_publisher BOOLEAN NOT NULL,
  is_platform BOOLEAN NOT NULL,
  region TEXT COLLATE "C",
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'closed')),
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);

-- What installations, addresses, secrets and budgets are scoped by.
CREATE TABLE environments (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  environment TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('production', 'staging', 'development')),
  region TEXT COLLATE "C",
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment)
);

-- Natural persons by a pseudonymous id. They outlive their personal data.
CREATE TABLE users (
  user_id TEXT COLLATE "C" PRIMARY KEY,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'locked', 'erased')),
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL
);

-- Personal data: erased on request, and nothing refers to it.
CREATE TABLE user_profiles (
  user_id TEXT COLLATE "C" PRIMARY KEY REFERENCES users (user_id),
  login TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT COLLATE "C" NOT NULL,
  email TEXT COLLATE "C"
);

-- Argon2id hashes and what failed against them.
CREATE TABLE user_passwords (
  user_id TEXT COLLATE "C" PRIMARY KEY REFERENCES users (user_id),
  hash TEXT COLLATE "C" NOT NULL,
  changed_ms BIGINT NOT NULL,
  failures BIGINT NOT NULL,
  blocked_until_ms BIGINT NOT NULL
);

-- Second factors: sealed secrets, and the last step that was used.
CREATE TABLE user_totps (
  user_id TEXT COLLATE "C" PRIMARY KEY REFERENCES users (user_id),
  sealed TEXT COLLATE "C" NOT NULL,
  last_step BIGINT NOT NULL,
  confirmed_ms BIGINT
);

-- Hashes of the codes that replace a lost second factor, once each.
CREATE TABLE recovery_codes (
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  code_hash TEXT COLLATE "C" NOT NULL,
  used_ms BIGINT,
  PRIMARY KEY (user_id, code_hash)
);

-- Which person acts for which org, and as what.
CREATE TABLE memberships (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'auditor', 'billing', 'reviewer', 'operator')),
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org, user_id)
);

-- Offers of a membership, taken once by whoever holds the code.
CREATE TABLE invitations (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  invitation_id TEXT COLLATE "C" NOT NULL,
  code_hash TEXT COLLATE "C" NOT NULL,
  role TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer', 'auditor', 'billing', 'reviewer', 'operator')),
  invited_by TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  used_ms BIGINT,
  PRIMARY KEY (org, invitation_id),
  UNIQUE (org, code_hash)
);

-- Programs that act for an org.
CREATE TABLE service_accounts (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  account TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  caps TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'disabled')),
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org, account)
);

-- Long-lived keys of service accounts, as hashes; exchanged for tokens.
CREATE TABLE api_keys (
  org TEXT COLLATE "C" NOT NULL,
  key_id TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  secret_hash TEXT COLLATE "C" NOT NULL,
  caps TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  revoked_ms BIGINT,
  PRIMARY KEY (org, key_id),
  FOREIGN KEY (org, account) REFERENCES service_accounts (org, account),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
);

-- Logins that may be refreshed. A refresh code is good once; an old one ends the session.
CREATE TABLE sessions (
  session_id TEXT COLLATE "C" PRIMARY KEY,
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  acr TEXT COLLATE "C" NOT NULL CHECK (acr IN ('aal1', 'aal2')),
  authenticated_ms BIGINT NOT NULL,
  refresh_hash TEXT COLLATE "C" NOT NULL UNIQUE,
  spent_hash TEXT COLLATE "C" UNIQUE,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  ended_ms BIGINT,
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
);

-- Keys that sign tokens: published before they sign, and until their last token has ended.
CREATE TABLE issuer_keys (
  kid TEXT COLLATE "C" PRIMARY KEY,
  x TEXT COLLATE "C" NOT NULL,
  y TEXT COLLATE "C" NOT NULL,
  sealed TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  signs_from_ms BIGINT NOT NULL,
  signs_until_ms BIGINT,
  verifies_until_ms BIGINT
);

-- Tokens that no longer count: one by one, or all of a subject, an org or a key up to a moment.
CREATE TABLE revocations (
  org TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('token', 'subject', 'org', 'key')),
  subject TEXT COLLATE "C" NOT NULL,
  before_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  PRIMARY KEY (org, kind, subject)
);

-- Answers that were given, stored with their effect.
CREATE TABLE idempotency (
  org TEXT COLLATE "C" NOT NULL,
  principal TEXT COLLATE "C" NOT NULL,
  method TEXT COLLATE "C" NOT NULL,
  route TEXT COLLATE "C" NOT NULL,
  key TEXT COLLATE "C" NOT NULL,
  fingerprint TEXT COLLATE "C" NOT NULL,
  status BIGINT NOT NULL,
  location TEXT COLLATE "C",
  etag TEXT COLLATE "C",
  body TEXT COLLATE "C",
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL,
  PRIMARY KEY (org, principal, method, route, key)
);

-- What happened, append-only. The sequencer alone sets seq, prev and hash, once.
CREATE TABLE audit_entries (
  org TEXT COLLATE "C" NOT NULL,
  audit_id TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  detail TEXT COLLATE "C" NOT NULL,
  trace_id TEXT COLLATE "C" NOT NULL,
  seq BIGINT UNIQUE,
  prev TEXT COLLATE "C",
  hash TEXT COLLATE "C",
  PRIMARY KEY (org, audit_id),
  CHECK ((seq IS NULL) = (hash IS NULL) AND (seq IS NULL) = (prev IS NULL))
);

-- Signed heads of the chain; the same lines are kept outside of the database.
CREATE TABLE audit_checkpoints (
  seq BIGINT PRIMARY KEY,
  head TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL
);

-- What hosts and subscribers must be told, written with its effect and numbered once it is committed.
CREATE TABLE changes (
  org TEXT COLLATE "C" NOT NULL,
  change_id TEXT COLLATE "C" NOT NULL,
  stream TEXT COLLATE "C" NOT NULL CHECK (stream IN ('feed', 'outbox')),
  topic TEXT COLLATE "C" NOT NULL,
  subject TEXT COLLATE "C" NOT NULL,
  payload TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  seq BIGINT,
  prev TEXT COLLATE "C",
  hash TEXT COLLATE "C",
  PRIMARY KEY (org, change_id),
  UNIQUE (stream, seq),
  CHECK ((seq IS NULL) = (hash IS NULL) AND (seq IS NULL) = (prev IS NULL))
);

-- One head per stream, moved only by whoever holds the fence.
CREATE TABLE sequences (
  stream TEXT COLLATE "C" PRIMARY KEY CHECK (stream IN ('audit', 'feed', 'outbox')),
  fence BIGINT NOT NULL,
  epoch BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  head TEXT COLLATE "C" NOT NULL
);

CREATE INDEX memberships_by_user ON memberships (user_id);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX audit_unchained ON audit_entries (at_ms, audit_id) WHERE seq IS NULL;
CREATE INDEX audit_by_org ON audit_entries (org, at_ms, audit_id);
CREATE INDEX changes_unnumbered ON changes (stream, at_ms, change_id) WHERE seq IS NULL;
CREATE INDEX idempotency_by_end ON idempotency (expires_ms);
CREATE INDEX revocations_by_end ON revocations (expires_ms);
-- An entry is never taken back, and changes once: when it is chained.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$;
CREATE FUNCTION chain_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.seq IS NOT NULL OR (OLD.org, OLD.audit_id, OLD.at_ms, OLD.actor, OLD.kind, OLD.subject, OLD.detail, OLD.trace_id)
    IS DISTINCT FROM (NEW.org, NEW.audit_id, NEW.at_ms, NEW.actor, NEW.kind, NEW.subject, NEW.detail, NEW.trace_id) THEN
    RAISE EXCEPTION 'audit entries are append-only' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_entries_keep BEFORE DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_whole BEFORE TRUNCATE ON audit_entries EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_freeze BEFORE UPDATE ON audit_entries FOR EACH ROW EXECUTE FUNCTION chain_once();
CREATE TRIGGER audit_checkpoints_keep BEFORE DELETE OR UPDATE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_checkpoints_whole BEFORE TRUNCATE ON audit_checkpoints EXECUTE FUNCTION refuse_change();

INSERT INTO sequences (stream, fence, epoch, seq, head) VALUES
  ('audit', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000'), ('feed', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000'), ('outbox', 0, 0, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000');

-- Two roles that own nothing and cannot log in: the logins of the server are members of one each.
-- soma_app acts for the one org that its transaction names, soma_worker for the platform.
DO $$ BEGIN CREATE ROLE soma_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE soma_worker NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO soma_app, soma_worker;

-- Which org a transaction acts for; none if it was not said, so that nothing matches.
CREATE FUNCTION acting_org() RETURNS TEXT LANGUAGE sql STABLE AS $$ SELECT NULLIF(current_setting('app.org', true), '') $$;

ALTER TABLE orgs ENABLE ROW LEVEL SECURITY;
ALTER TABLE orgs FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON orgs TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON orgs TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE environments ENABLE ROW LEVEL SECURITY;
ALTER TABLE environments FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON environments TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON environments TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE memberships ENABLE ROW LEVEL SECURITY;
ALTER TABLE memberships FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON memberships TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON memberships TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON invitations TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON invitations TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE service_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE service_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON service_accounts TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON service_accounts TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON api_keys TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON api_keys TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE revocations FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON revocations TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON revocations TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON idempotency TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON idempotency TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE audit_entries ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_entries FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON audit_entries TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON audit_entries TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE changes FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON changes TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON changes TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY own_members ON users FOR SELECT TO soma_app
  USING (EXISTS (SELECT 1 FROM memberships WHERE memberships.org = (SELECT acting_org()) AND memberships.user_id = users.user_id));
CREATE POLICY platform ON users TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE user_profiles ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_profiles FORCE ROW LEVEL SECURITY;
CREATE POLICY own_members ON user_profiles FOR SELECT TO soma_app
  USING (EXISTS (SELECT 1 FROM memberships WHERE memberships.org = (SELECT acting_org()) AND memberships.user_id = user_profiles.user_id));
CREATE POLICY platform ON user_profiles TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE deployment ENABLE ROW LEVEL SECURITY;
ALTER TABLE deployment FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON deployment TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE user_passwords ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_passwords FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON user_passwords TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE user_totps ENABLE ROW LEVEL SECURITY;
ALTER TABLE user_totps FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON user_totps TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE recovery_codes ENABLE ROW LEVEL SECURITY;
ALTER TABLE recovery_codes FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON recovery_codes TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON sessions TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE issuer_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE issuer_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON issuer_keys TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON audit_checkpoints TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE sequences ENABLE ROW LEVEL SECURITY;
ALTER TABLE sequences FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON sequences TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON environments, memberships, invitations, service_accounts, api_keys, revocations, idempotency TO soma_app;
GRANT SELECT, UPDATE ON orgs TO soma_app;
GRANT SELECT ON users, user_profiles TO soma_app;
GRANT SELECT, INSERT ON audit_entries TO soma_app;
GRANT INSERT ON changes TO soma_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON orgs, environments, users, user_profiles, user_passwords, user_totps, recovery_codes, memberships,
  invitations, service_accounts, api_keys, sessions, issuer_keys, revocations, idempotency, changes TO soma_worker;
GRANT SELECT, INSERT, UPDATE ON deployment TO soma_worker;
GRANT SELECT, INSERT, UPDATE (seq, prev, hash) ON audit_entries TO soma_worker;
GRANT SELECT, INSERT ON audit_checkpoints TO soma_worker;
GRANT SELECT, UPDATE ON sequences TO soma_worker;
