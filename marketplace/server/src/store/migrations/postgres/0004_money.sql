-- Money: terms, the ledger, budgets, leases, journals, earnings, payouts. Expand only: the version before must still run.

-- What charges depend on. Editions of a currency rise; one of them is active.
CREATE TABLE terms (
  digest TEXT COLLATE "C" PRIMARY KEY,
  currency TEXT COLLATE "C" NOT NULL,
  edition BIGINT NOT NULL,
  document TEXT COLLATE "C" NOT NULL,
  envelope TEXT COLLATE "C" NOT NULL,
  active BOOLEAN NOT NULL,
  put_by TEXT COLLATE "C" NOT NULL,
  created_ms BIGINT NOT NULL,
  UNIQUE (currency, edition)
);

-- One head over all postings: whoever posts holds it to the end of the transaction.
CREATE TABLE ledger_head (
  singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
  n BIGINT NOT NULL,
  hash TEXT COLLATE "C" NOT NULL
);

-- What each account holds: the sum of its rows, kept by conditional updates.
CREATE TABLE accounts (
  org TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  balance BIGINT NOT NULL,
  least BIGINT,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (account, currency)
);

-- All rows of one cause: append-only, each hash over the one before.
CREATE TABLE postings (
  n BIGINT PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL,
  cause TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  tenant TEXT COLLATE "C",
  author TEXT COLLATE "C",
  capsule TEXT COLLATE "C",
  environment TEXT COLLATE "C",
  installation TEXT COLLATE "C",
  forced BOOLEAN NOT NULL,
  reverses TEXT COLLATE "C",
  hash TEXT COLLATE "C" NOT NULL,
  UNIQUE (cause, currency)
);

-- The rows: so much from one account to another. Append-only.
CREATE TABLE transfers (
  n BIGINT NOT NULL REFERENCES postings (n),
  place BIGINT NOT NULL,
  org TEXT COLLATE "C" NOT NULL,
  transfer_id TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL,
  debit TEXT COLLATE "C" NOT NULL,
  credit TEXT COLLATE "C" NOT NULL,
  amount BIGINT NOT NULL CHECK (amount > 0),
  reverses TEXT COLLATE "C",
  PRIMARY KEY (n, place),
  CHECK (debit <> credit)
);

-- Caps that people set, for every period to come.
CREATE TABLE budget_caps (
  org TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  measure TEXT COLLATE "C" NOT NULL,
  period TEXT COLLATE "C" NOT NULL CHECK (period IN ('day', 'month')),
  cap BIGINT NOT NULL CHECK (cap >= 0),
  soft_percent BIGINT,
  version BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (org, scope, measure, period)
);

-- What is committed of a cap in one UTC day or month; opened by its first lease.
CREATE TABLE budgets (
  org TEXT COLLATE "C" NOT NULL,
  scope TEXT COLLATE "C" NOT NULL,
  measure TEXT COLLATE "C" NOT NULL,
  span TEXT COLLATE "C" NOT NULL,
  cap BIGINT NOT NULL CHECK (cap >= 0),
  committed BIGINT NOT NULL CHECK (committed >= 0),
  soft_percent BIGINT,
  PRIMARY KEY (org, scope, measure, span)
);

-- Slices of budgets that hosts hold. The record is the rules' own; the columns are what is looked for.
CREATE TABLE leases (
  lease_id TEXT COLLATE "C" PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  host TEXT COLLATE "C" NOT NULL,
  boot TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'recalling', 'closing', 'closed', 'lost')),
  currency TEXT COLLATE "C" NOT NULL,
  held BIGINT NOT NULL CHECK (held >= 0),
  record TEXT COLLATE "C" NOT NULL,
  drawn TEXT COLLATE "C" NOT NULL,
  given TEXT COLLATE "C" NOT NULL,
  seen BOOLEAN NOT NULL,
  touched_ms BIGINT NOT NULL,
  start_by_ms BIGINT NOT NULL,
  lost_after_ms BIGINT NOT NULL,
  version BIGINT NOT NULL
);

-- How far each journal is taken, and what was in it.
CREATE TABLE journals (
  journal TEXT COLLATE "C" PRIMARY KEY,
  host TEXT COLLATE "C" NOT NULL,
  next BIGINT NOT NULL,
  head TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('good', 'quarantined')),
  reason TEXT COLLATE "C",
  write_off BIGINT,
  receipts BIGINT NOT NULL,
  starts BIGINT NOT NULL,
  denials BIGINT NOT NULL,
  kills BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);

-- Leases that a host gave itself while it had no server: their calls cost nobody anything here.
CREATE TABLE journal_leases (
  journal TEXT COLLATE "C" NOT NULL REFERENCES journals (journal),
  lease_id TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (journal, lease_id)
);

-- Receipts, each settled once, with what is needed to price it again. Append-only.
CREATE TABLE settled (
  journal TEXT COLLATE "C" NOT NULL,
  seq BIGINT NOT NULL,
  hash TEXT COLLATE "C" NOT NULL,
  org TEXT COLLATE "C" NOT NULL,
  lease_id TEXT COLLATE "C" NOT NULL,
  terms TEXT COLLATE "C" NOT NULL,
  notes TEXT COLLATE "C" NOT NULL,
  asked TEXT COLLATE "C" NOT NULL,
  receipt TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (journal, seq)
);

-- By what the calls of a revision are settled: its offer, its author, and since when they are billed.
CREATE TABLE priced_revisions (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  revision BIGINT NOT NULL,
  capsule TEXT COLLATE "C" NOT NULL,
  author TEXT COLLATE "C" NOT NULL,
  offer_digest TEXT COLLATE "C" NOT NULL,
  offer TEXT COLLATE "C" NOT NULL,
  accepted_ms BIGINT NOT NULL,
  billed_ms BIGINT,
  PRIMARY KEY (org, environment, installation, revision)
);

-- Included calls that were used, per offer and period.
CREATE TABLE offer_uses (
  org TEXT COLLATE "C" NOT NULL,
  environment TEXT COLLATE "C" NOT NULL,
  installation TEXT COLLATE "C" NOT NULL,
  offer_digest TEXT COLLATE "C" NOT NULL,
  span TEXT COLLATE "C" NOT NULL,
  used BIGINT NOT NULL,
  PRIMARY KEY (org, environment, installation, offer_digest, span)
);

-- What authors earned, per UTC day of settlement.
CREATE TABLE earnings (
  org TEXT COLLATE "C" NOT NULL,
  currency TEXT COLLATE "C" NOT NULL,
  span TEXT COLLATE "C" NOT NULL,
  earned BIGINT NOT NULL CHECK (earned >= 0),
  reversed BIGINT NOT NULL CHECK (reversed >= 0),
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'available')),
  ends_ms BIGINT NOT NULL,
  PRIMARY KEY (org, currency, span),
  CHECK (reversed <= earned)
);

-- Payouts to authors.
CREATE TABLE payouts (
  payout_id TEXT COLLATE "C" PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL,
  amount BIGINT NOT NULL CHECK (amount > 0),
  currency TEXT COLLATE "C" NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('requested', 'approved', 'exported', 'settled', 'failed')),
  note TEXT COLLATE "C",
  requested_by TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL
);

-- What people and providers entered. Append-only.
CREATE TABLE billing_events (
  entry_id TEXT COLLATE "C" PRIMARY KEY,
  org TEXT COLLATE "C" NOT NULL,
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('top-up', 'withdrawal', 'credit', 'adjust-up', 'adjust-down', 'refund', 'chargeback')),
  amount BIGINT NOT NULL CHECK (amount > 0),
  currency TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL,
  original TEXT COLLATE "C",
  entered_by TEXT COLLATE "C" NOT NULL,
  at_ms BIGINT NOT NULL
);

CREATE UNIQUE INDEX terms_active ON terms (currency) WHERE active;
CREATE INDEX accounts_by_org ON accounts (org, currency);
CREATE INDEX postings_by_org ON postings (org, n);
CREATE INDEX postings_by_author ON postings (author, n) WHERE author IS NOT NULL;
CREATE INDEX postings_back ON postings (reverses) WHERE reverses IS NOT NULL;
CREATE INDEX leases_live ON leases (host, installation) WHERE state IN ('open', 'recalling', 'closing');
CREATE INDEX leases_by_org ON leases (org, lease_id);
CREATE INDEX journals_by_host ON journals (host);
CREATE INDEX earnings_pending ON earnings (ends_ms) WHERE state = 'pending';
CREATE INDEX payouts_by_org ON payouts (org, payout_id);
CREATE INDEX billing_events_by_org ON billing_events (org, entry_id);
CREATE TRIGGER postings_keep BEFORE DELETE OR UPDATE ON postings FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_whole BEFORE TRUNCATE ON postings EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_keep BEFORE DELETE OR UPDATE ON transfers FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfers_whole BEFORE TRUNCATE ON transfers EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settled_keep BEFORE DELETE OR UPDATE ON settled FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settled_whole BEFORE TRUNCATE ON settled EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_events_keep BEFORE DELETE OR UPDATE ON billing_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER billing_events_whole BEFORE TRUNCATE ON billing_events EXECUTE FUNCTION refuse_change();

INSERT INTO ledger_head (singleton, n, hash) VALUES (1, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000');

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON accounts TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON accounts TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE postings ENABLE ROW LEVEL SECURITY;
ALTER TABLE postings FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON postings TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON postings TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE transfers ENABLE ROW LEVEL SECURITY;
ALTER TABLE transfers FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON transfers TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON transfers TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE budget_caps ENABLE ROW LEVEL SECURITY;
ALTER TABLE budget_caps FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON budget_caps TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON budget_caps TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE budgets ENABLE ROW LEVEL SECURITY;
ALTER TABLE budgets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON budgets TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON budgets TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE leases FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON leases TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON leases TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE settled ENABLE ROW LEVEL SECURITY;
ALTER TABLE settled FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON settled TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON settled TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE priced_revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE priced_revisions FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON priced_revisions TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON priced_revisions TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE offer_uses ENABLE ROW LEVEL SECURITY;
ALTER TABLE offer_uses FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON offer_uses TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON offer_uses TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE earnings ENABLE ROW LEVEL SECURITY;
ALTER TABLE earnings FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON earnings TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON earnings TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE payouts ENABLE ROW LEVEL SECURITY;
ALTER TABLE payouts FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON payouts TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON payouts TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE billing_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE billing_events FORCE ROW LEVEL SECURITY;
CREATE POLICY own_org ON billing_events TO soma_app USING (org = (SELECT acting_org())) WITH CHECK (org = (SELECT acting_org()));
CREATE POLICY platform ON billing_events TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE terms ENABLE ROW LEVEL SECURITY;
ALTER TABLE terms FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON terms TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE ledger_head ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_head FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON ledger_head TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE journals ENABLE ROW LEVEL SECURITY;
ALTER TABLE journals FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON journals TO soma_worker USING (true) WITH CHECK (true);
ALTER TABLE journal_leases ENABLE ROW LEVEL SECURITY;
ALTER TABLE journal_leases FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON journal_leases TO soma_worker USING (true) WITH CHECK (true);

GRANT SELECT ON accounts, postings, transfers, budgets, leases, settled, earnings, payouts, billing_events TO soma_app;
GRANT UPDATE (cap, soft_percent) ON budgets TO soma_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON budget_caps TO soma_app;
GRANT SELECT, INSERT, UPDATE ON priced_revisions TO soma_app;
GRANT SELECT, INSERT ON postings, transfers, settled, billing_events, journal_leases TO soma_worker;
GRANT SELECT, UPDATE ON ledger_head TO soma_worker;
GRANT SELECT, INSERT, UPDATE ON terms, accounts, budgets, leases, journals, priced_revisions, offer_uses, earnings, payouts TO soma_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON budget_caps TO soma_worker;
