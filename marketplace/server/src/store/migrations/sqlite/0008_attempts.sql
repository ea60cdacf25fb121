-- Who failed to prove who they are, and from where. Expand only: the version before must still run.

-- Second factors and passwords that were wrong within a session; the fifth ends it.
ALTER TABLE sessions ADD COLUMN wrong_proofs INTEGER NOT NULL DEFAULT 0;

-- Logins to an account from one sender, by the hash of its address: what failed since the last that did not.
CREATE TABLE login_senders (
  user_id TEXT NOT NULL REFERENCES users (user_id),
  sender TEXT NOT NULL,
  failures INTEGER NOT NULL,
  blocked_until_ms INTEGER NOT NULL,
  entered_ms INTEGER,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (user_id, sender)
) STRICT;

-- Codes with which a person sets a new password, made by an operator, good once.
CREATE TABLE password_resets (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (user_id),
  code_hash TEXT NOT NULL UNIQUE,
  made_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX login_senders_by_age ON login_senders (seen_ms);
