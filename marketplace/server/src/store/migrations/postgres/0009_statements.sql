-- Statements of a tenant read its own postings and nobody else's. Expand only.
CREATE INDEX postings_by_tenant ON postings (tenant, n) WHERE tenant IS NOT NULL;
