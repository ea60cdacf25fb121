-- Money: terms, the ledger, budgets, leases, journals, earnings, payouts. Expand only: the version before must still run.

-- What charges depend on. Editions of a currency rise; one of them is active.
CREATE TABLE terms (
  digest TEXT NOT NULL PRIMARY KEY,
  currency TEXT NOT NULL,
  edition INTEGER NOT NULL,
  document TEXT NOT NULL,
  envelope TEXT NOT NULL,
  active INTEGER NOT NULL CHECK (active IN (0, 1)),
  put_by TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  UNIQUE (currency, edition)
) STRICT;

-- One head over all postings: whoever posts holds it to the end of the transaction.
CREATE TABLE ledger_head (
  singleton INTEGER NOT NULL PRIMARY KEY CHECK (singleton = 1),
  n INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

-- What each account holds: the sum of its rows, kept by conditional updates.
CREATE TABLE accounts (
  org TEXT NOT NULL,
  account TEXT NOT NULL,
  currency TEXT NOT NULL,
  balance INTEGER NOT NULL,
  least INTEGER,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (account, currency)
) STRICT;

-- All rows of one cause: append-only, each hash over the one before.
CREATE TABLE postings (
  n INTEGER NOT NULL PRIMARY KEY,
  org TEXT NOT NULL,
  cause TEXT NOT NULL,
  currency TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  tenant TEXT,
  author TEXT,
  capsule TEXT,
  environment TEXT,
  installation TEXT,
  forced INTEGER NOT NULL CHECK (forced IN (0, 1)),
  reverses TEXT,
  hash TEXT NOT NULL,
  UNIQUE (cause, currency)
) STRICT;

-- The rows: so much from one account to another. Append-only.
CREATE TABLE transfers (
  n INTEGER NOT NULL REFERENCES postings (n),
  place INTEGER NOT NULL,
  org TEXT NOT NULL,
  transfer_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  debit TEXT NOT NULL,
  credit TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  reverses TEXT,
  PRIMARY KEY (n, place),
  CHECK (debit <> credit)
) STRICT;

-- Caps that people set, for every period to come.
CREATE TABLE budget_caps (
  org TEXT NOT NULL,
  scope TEXT NOT NULL,
  measure TEXT NOT NULL,
  period TEXT NOT NULL CHECK (period IN ('day', 'month')),
  cap INTEGER NOT NULL CHECK (cap >= 0),
  soft_percent INTEGER,
  version INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (org, scope, measure, period)
) STRICT;

-- What is committed of a cap in one UTC day or month; opened by its first lease.
CREATE TABLE budgets (
  org TEXT NOT NULL,
  scope TEXT NOT NULL,
  measure TEXT NOT NULL,
  span TEXT NOT NULL,
  cap INTEGER NOT NULL CHECK (cap >= 0),
  committed INTEGER NOT NULL CHECK (committed >= 0),
  soft_percent INTEGER,
  PRIMARY KEY (org, scope, measure, span)
) STRICT;

-- Slices of budgets that hosts hold. The record is the rules' own; the columns are what is looked for.
CREATE TABLE leases (
  lease_id TEXT NOT NULL PRIMARY KEY,
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  host TEXT NOT NULL,
  boot TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'recalling', 'closing', 'closed', 'lost')),
  currency TEXT NOT NULL,
  held INTEGER NOT NULL CHECK (held >= 0),
  record TEXT NOT NULL,
  drawn TEXT NOT NULL,
  given TEXT NOT NULL,
  seen INTEGER NOT NULL CHECK (seen IN (0, 1)),
  touched_ms INTEGER NOT NULL,
  start_by_ms INTEGER NOT NULL,
  lost_after_ms INTEGER NOT NULL,
  version INTEGER NOT NULL
) STRICT;

-- How far each journal is taken, and what was in it.
CREATE TABLE journals (
  journal TEXT NOT NULL PRIMARY KEY,
  host TEXT NOT NULL,
  next INTEGER NOT NULL,
  head TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('good', 'quarantined')),
  reason TEXT,
  write_off INTEGER,
  receipts INTEGER NOT NULL,
  starts INTEGER NOT NULL,
  denials INTEGER NOT NULL,
  kills INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;

-- Leases that a host gave itself while it had no server: their calls cost nobody anything here.
CREATE TABLE journal_leases (
  journal TEXT NOT NULL REFERENCES journals (journal),
  lease_id TEXT NOT NULL,
  PRIMARY KEY (journal, lease_id)
) STRICT;

-- Receipts, each settled once, with what is needed to price it again. Append-only.
CREATE TABLE settled (
  journal TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  org TEXT NOT NULL,
  lease_id TEXT NOT NULL,
  terms TEXT NOT NULL,
  notes TEXT NOT NULL,
  asked TEXT NOT NULL,
  receipt TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (journal, seq)
) STRICT;

-- By what the calls of a revision are settled: its offer, its author, and since when they are billed.
CREATE TABLE priced_revisions (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  revision INTEGER NOT NULL,
  capsule TEXT NOT NULL,
  author TEXT NOT NULL,
  offer_digest TEXT NOT NULL,
  offer TEXT NOT NULL,
  accepted_ms INTEGER NOT NULL,
  billed_ms INTEGER,
  PRIMARY KEY (org, environment, installation, revision)
) STRICT;

-- Included calls that were used, per offer and period.
CREATE TABLE offer_uses (
  org TEXT NOT NULL,
  environment TEXT NOT NULL,
  installation TEXT NOT NULL,
  offer_digest TEXT NOT NULL,
  span TEXT NOT NULL,
  used INTEGER NOT NULL,
  PRIMARY KEY (org, environment, installation, offer_digest, span)
) STRICT;

-- What authors earned, per UTC day of settlement.
CREATE TABLE earnings (
  org TEXT NOT NULL,
  currency TEXT NOT NULL,
  span TEXT NOT NULL,
  earned INTEGER NOT NULL CHECK (earned >= 0),
  reversed INTEGER NOT NULL CHECK (reversed >= 0),
  state TEXT NOT NULL CHECK (state IN ('pending', 'available')),
  ends_ms INTEGER NOT NULL,
  PRIMARY KEY (org, currency, span),
  CHECK (reversed <= earned)
) STRICT;

-- Payouts to authors.
CREATE TABLE payouts (
  payout_id TEXT NOT NULL PRIMARY KEY,
  org TEXT NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  currency TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'exported', 'settled', 'failed')),
  note TEXT,
  requested_by TEXT NOT NULL,
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;

-- What people and providers entered. Append-only.
CREATE TABLE billing_events (
  entry_id TEXT NOT NULL PRIMARY KEY,
  org TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('top-up', 'withdrawal', 'credit', 'adjust-up', 'adjust-down', 'refund', 'chargeback')),
  amount INTEGER NOT NULL CHECK (amount > 0),
  currency TEXT NOT NULL,
  reason TEXT NOT NULL,
  original TEXT,
  entered_by TEXT NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX terms_active ON terms (currency) WHERE active = 1;
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
CREATE TRIGGER postings_keep BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings is append-only'); END;
CREATE TRIGGER postings_freeze BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings is append-only'); END;
CREATE TRIGGER transfers_keep BEFORE DELETE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;
CREATE TRIGGER transfers_freeze BEFORE UPDATE ON transfers BEGIN SELECT RAISE(ABORT, 'transfers is append-only'); END;
CREATE TRIGGER settled_keep BEFORE DELETE ON settled BEGIN SELECT RAISE(ABORT, 'settled is append-only'); END;
CREATE TRIGGER settled_freeze BEFORE UPDATE ON settled BEGIN SELECT RAISE(ABORT, 'settled is append-only'); END;
CREATE TRIGGER billing_events_keep BEFORE DELETE ON billing_events BEGIN SELECT RAISE(ABORT, 'billing_events is append-only'); END;
CREATE TRIGGER billing_events_freeze BEFORE UPDATE ON billing_events BEGIN SELECT RAISE(ABORT, 'billing_events is append-only'); END;

INSERT INTO ledger_head (singleton, n, hash) VALUES (1, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000');
