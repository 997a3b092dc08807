ALTER TABLE staging.customers DROP COLUMN status, DROP COLUMN created_at;
ALTER TABLE production.customers ALTER COLUMN created_at SET DEFAULT '2000-01-01', ALTER COLUMN created_at SET NOT NULL;
