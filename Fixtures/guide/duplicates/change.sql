-- As a load without a primary key leaves it.
ALTER TABLE staging.customers DROP CONSTRAINT customers_pkey;
