-- Secrets of tenants. Values are sealed before they come here. Expand only: the version before must still run.

-- One key per org, itself sealed by the server's key, which lies outside of the database.
CREATE TABLE secret_keys (
  org TEXT NOT NULL REFERENCES orgs (org),
  sealed TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org)
) STRICT;

-- That there is a secret, and its version. A removed one keeps its row, so that versions only rise.
CREATE TABLE secrets (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  created_ms INTEGER NOT NULL,
  changed_ms INTEGER NOT NULL,
  removed_ms INTEGER,
  PRIMARY KEY (org, environment, name),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
) STRICT;

-- Values, sealed for their org, environment, name and version. Older ones go when hosts have moved on.
CREATE TABLE secret_values (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  sealed TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, name, version),
  FOREIGN KEY (org, environment, name) REFERENCES secrets (org, environment, name)
) STRICT;

-- Which host was sent which version last.
CREATE TABLE secret_hosts (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  host TEXT NOT NULL,
  version INTEGER NOT NULL,
  sent_ms INTEGER NOT NULL,
  PRIMARY KEY (org, environment, name, host),
  FOREIGN KEY (org, environment, name) REFERENCES secrets (org, environment, name)
) STRICT;
