-- Secrets of tenants. Values are sealed before they come here. Expand only: the version before must still run.

-- One key per org, itself sealed by the server's key, which lies outside of the database.
CREATE TABLE secret_keys (
  org TEXT COLLATE "C" NOT NULL REFERENCES orgs (org),
  sealed TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org)
);

-- That there is a secret, and its version. A removed one keeps its row, so that versions only rise.
CREATE TABLE secrets (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL CHECK (version >= 1),
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  removed_ms BIGINT,
  PRIMARY KEY (org, environment, name),
  FOREIGN KEY (org, environment) REFERENCES environments (org, environment)
);

-- Values, sealed for their org, environment, name and version. Older ones go when hosts have moved on.
CREATE TABLE secret_values (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  sealed TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, name, version),
  FOREIGN KEY (org, environment, name) REFERENCES secrets (org, environment, name)
);

-- Which host was sent which version last.
CREATE TABLE secret_hosts (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  name TEXT COLLATE "C" NOT NULL,
  host TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  sent_ms BIGINT NOT NULL,
  PRIMARY KEY (org, environment, name, host),
  FOREIGN KEY (org, environment, name) REFERENCES secrets (org, environment, name)
);

ALTER TABLE secret_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON secret_keys TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON secrets TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON secrets TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE secret_values ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret_values FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON secret_values TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON secret_values TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE secret_hosts ENABLE ROW LEVEL SECURITY;
ALTER TABLE secret_hosts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON secret_hosts TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON secret_hosts TO soma_worker USING (true) WITH CHECK (true);

-- A tenant's work writes sealed values and never reads one back, nor any key.
GRANT SELECT, INSERT, UPDATE ON secrets TO soma_app;
GRANT SELECT (org, environment, name, version), INSERT, DELETE ON secret_values TO soma_app;
GRANT SELECT, DELETE ON secret_hosts TO soma_app;

GRANT SELECT, INSERT, UPDATE, DELETE ON secret_keys, secrets, secret_values, secret_hosts TO soma_worker;
