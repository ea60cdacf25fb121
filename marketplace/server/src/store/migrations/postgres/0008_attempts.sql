-- Who failed to prove who they are, and from where. Expand only: the version before must still run.

-- Second factors and passwords that were wrong within a session; the fifth ends it.
ALTER TABLE sessions ADD COLUMN wrong_proofs BIGINT NOT NULL DEFAULT 0;

-- Logins to an account from one sender, by the hash of its address: what failed since the last that did not.
CREATE TABLE login_senders (
  user_id TEXT COLLATE "C" NOT NULL REFERENCES users (user_id),
  sender TEXT COLLATE "C" NOT NULL,
  failures BIGINT NOT NULL,
  blocked_until_ms BIGINT NOT NULL,
  entered_ms BIGINT,
  seen_ms BIGINT NOT NULL,
  PRIMARY KEY (user_id, sender)
);

-- Codes with which a person sets a new password, made by an operator, good once.
CREATE TABLE password_resets (
  user_id TEXT COLLATE "C" PRIMARY KEY REFERENCES users (user_id),
  code_hash TEXT COLLATE "C" NOT NULL UNIQUE,
  made_by TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  expires_ms BIGINT NOT NULL
);

CREATE INDEX login_senders_by_age ON login_senders (seen_ms);

ALTER TABLE login_senders ENABLE ROW LEVEL SECURITY;
ALTER TABLE login_senders FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON login_senders TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE password_resets ENABLE ROW LEVEL SECURITY;
ALTER TABLE password_resets FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON password_resets TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON login_senders, password_resets TO soma_worker;
