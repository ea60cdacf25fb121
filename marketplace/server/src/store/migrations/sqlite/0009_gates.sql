-- Since when the calls of a revision are billed: nothing while it is at its health gate, and for ever if it fails there.
-- What was made before is billed from its beginning. Expand only: the version before must still run.
ALTER TABLE revisions ADD COLUMN billed_ms INTEGER DEFAULT 0;

-- Statements of a tenant read its own postings and nobody else's.
CREATE INDEX postings_by_tenant ON postings (tenant, n) WHERE tenant IS NOT NULL;
