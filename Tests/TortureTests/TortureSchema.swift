import Libpq

/// The tables that are tormented, and the model of what must be true of them in the end.
///
/// Every version is drawn from one sequence, so "newer" is known for all writers together. A row's payload is made of
/// key and version, so that a row put together from two writes shows.
///
/// `orders` has a key of two columns, whose versions are looked up; `items` has one integer, loaded in dense stretches,
/// which are read from end to end. Staging of `orders` has a status column; that of `items` has none, is rewritten and changed
/// while it is read. In the model the rows of `items` are those of a tenant that `orders` does not have.
enum TortureSchema {
  static let keyCount = 4000
  static let itemCount = 3000
  /// The tenant that stands for `items`.
  static let itemTenant = 1000

  static let create: SQL = """
    CREATE SCHEMA production;
    CREATE SCHEMA model;
    CREATE SEQUENCE model.clock;
    CREATE FUNCTION model.tick() RETURNS timestamp LANGUAGE sql VOLATILE
      AS $$ SELECT timestamp '2025-01-01' + nextval('model.clock') * interval '1 microsecond' $$;
    CREATE FUNCTION model.payload(tenant integer, id integer, version timestamp) RETURNS text LANGUAGE sql IMMUTABLE
      AS $$ SELECT md5(tenant || '/' || id || '/' || version) $$;

    CREATE TABLE production.accounts (id integer PRIMARY KEY, payload text, updated_at timestamp);
    INSERT INTO production.accounts SELECT n, 'account', timestamp '2025-01-01' FROM generate_series(1, 100) AS n;
    CREATE TABLE production.orders (
      tenant integer, id integer,
      account integer NOT NULL REFERENCES production.accounts,
      code text UNIQUE, amount numeric CHECK (amount >= 0), payload text, updated_at timestamp,
      PRIMARY KEY (tenant, id)
    );
    CREATE INDEX ON production.orders (account);
    INSERT INTO production.orders VALUES (-1, 0, 1, 'taken', 1, model.payload(-1, 0, '2025-01-01'), '2025-01-01');
    INSERT INTO production.orders
    SELECT n % 4, n, 1 + n % 100, (n % 4) || '-' || n, 1, model.payload(n % 4, n, '2025-01-01'), '2025-01-01'
    FROM generate_series(1, \(keyCount / 2)) AS n;

    CREATE TABLE production.items (id integer PRIMARY KEY, amount integer CHECK (amount >= 0), payload text, updated_at timestamp);
    INSERT INTO production.items
    SELECT n, 1, model.payload(\(itemTenant), n, '2025-01-01'), '2025-01-01' FROM generate_series(1, \(itemCount)) AS n
    WHERE n % 3 > 0;
    CREATE VIEW model.merged AS
    SELECT tenant, id, payload, updated_at FROM production.orders
    UNION ALL SELECT \(itemTenant), id, payload, updated_at FROM production.items;

    -- What CDC has written, in the order in which it held the row's lock; a delete has no version.
    CREATE TABLE model.changes (
      position bigserial PRIMARY KEY, tenant integer, id integer, version timestamp, is_delete boolean
    );
    -- What was loaded into staging.
    CREATE TABLE model.loaded (tenant integer, id integer, version timestamp, is_poison boolean);
    CREATE INDEX ON model.changes (tenant, id, version);
    CREATE INDEX ON model.loaded (tenant, id, version);
    """

  /// CDC applies what the source has done last: it does not compare. The version is drawn under the row's lock, so
  /// that it is newer than anything a merge has written before.
  static let createWriters: SQL = """
    CREATE FUNCTION model.write_as_cdc(delete_share double precision) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(keyCount));
      t integer := n % 4;
      v timestamp;
    BEGIN
      PERFORM FROM production.orders WHERE tenant = t AND id = n FOR UPDATE;
      IF found AND random() < delete_share THEN
        DELETE FROM production.orders WHERE tenant = t AND id = n;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (t, n, NULL, true);
        RETURN;
      END IF;
      v := model.tick();
      IF found THEN
        UPDATE production.orders SET amount = random() * 100, payload = model.payload(t, n, v), updated_at = v
        WHERE tenant = t AND id = n;
      ELSE
        INSERT INTO production.orders VALUES (t, n, 1 + n % 100, t || '-' || n, 2, model.payload(t, n, v), v)
        ON CONFLICT (tenant, id) DO NOTHING;
        IF NOT found THEN RETURN; END IF;
      END IF;
      INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (t, n, v, false);
    END $$;

    -- Of the rows loaded some are fresh, some as old as production's, some older, and some can't be stored.
    CREATE FUNCTION model.load_staging(row_count integer, poison_share double precision) RETURNS void
    LANGUAGE plpgsql AS $$
    BEGIN
      WITH picked AS MATERIALIZED (
        SELECT 1 + floor(random() * \(keyCount))::integer AS n, random() AS kind, random() < poison_share AS is_poison,
               floor(random() * 3) AS poison, model.tick() AS fresh
        FROM generate_series(1, row_count)
      ), versioned AS (
        SELECT k.*, n % 4 AS t,
               CASE WHEN kind < 0.5 THEN fresh
                    WHEN kind < 0.75 THEN coalesce(p.updated_at, fresh)
                    ELSE coalesce(p.updated_at, fresh) - interval '1 second' END AS version
        FROM picked AS k LEFT JOIN production.orders AS p ON p.tenant = n % 4 AND p.id = n
      ), staged AS (
        INSERT INTO staging.orders (tenant, id, account, code, amount, payload, updated_at)
        SELECT t, n,
               CASE WHEN is_poison AND poison = 0 THEN -1 ELSE 1 + n % 100 END,
               CASE WHEN is_poison AND poison = 1 THEN 'taken' ELSE t || '-' || n END,
               CASE WHEN is_poison AND poison = 2 THEN -1 ELSE 3 END,
               model.payload(t, n, version), version
        FROM versioned
      )
      INSERT INTO model.loaded SELECT t, n, version, is_poison FROM versioned;
    END $$;

    ALTER TABLE staging.orders DROP CONSTRAINT orders_pkey;

    CREATE FUNCTION model.write_item_as_cdc(delete_share double precision) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(itemCount));
      v timestamp;
    BEGIN
      PERFORM FROM production.items WHERE id = n FOR UPDATE;
      IF found AND random() < delete_share THEN
        DELETE FROM production.items WHERE id = n;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(itemTenant), n, NULL, true);
        RETURN;
      END IF;
      v := model.tick();
      IF found THEN
        UPDATE production.items SET amount = 2, payload = model.payload(\(itemTenant), n, v), updated_at = v WHERE id = n;
      ELSE
        INSERT INTO production.items VALUES (n, 2, model.payload(\(itemTenant), n, v), v) ON CONFLICT (id) DO NOTHING;
        IF NOT found THEN RETURN; END IF;
      END IF;
      INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(itemTenant), n, v, false);
    END $$;

    CREATE FUNCTION model.load_items(row_count integer, poison_share double precision) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
      first integer := floor(random() * (\(itemCount) - row_count));
    BEGIN
      WITH picked AS MATERIALIZED (
        SELECT first + k AS n, random() AS kind, random() < poison_share AS is_poison, model.tick() AS fresh
        FROM generate_series(1, row_count) AS k
      ), versioned AS (
        SELECT k.*, CASE WHEN kind < 0.5 THEN fresh
                         WHEN kind < 0.75 THEN coalesce(p.updated_at, fresh)
                         ELSE coalesce(p.updated_at, fresh) - interval '1 second' END AS version
        FROM picked AS k LEFT JOIN production.items AS p ON p.id = n
      ), staged AS (
        INSERT INTO staging.items (id, amount, payload, updated_at)
        SELECT n, CASE WHEN is_poison THEN -1 ELSE 3 END, model.payload(\(itemTenant), n, version), version FROM versioned
      )
      INSERT INTO model.loaded SELECT \(itemTenant), n, version, is_poison FROM versioned;
    END $$;

    -- A second load that changes a row which is in staging already, merged or not.
    CREATE FUNCTION model.change_item() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      old record;
      v timestamp := model.tick();
    BEGIN
      SELECT ctid AS address, id, updated_at INTO old FROM staging.items WHERE amount >= 0
      OFFSET floor(random() * 300) LIMIT 1 FOR UPDATE SKIP LOCKED;
      IF NOT found THEN RETURN; END IF;
      UPDATE staging.items SET updated_at = v, payload = model.payload(\(itemTenant), old.id, v) WHERE ctid = old.address;
      DELETE FROM model.loaded AS l
      USING (SELECT ctid FROM model.loaded
             WHERE tenant = \(itemTenant) AND id = old.id AND version = old.updated_at LIMIT 1) AS gone
      WHERE l.ctid = gone.ctid;
      INSERT INTO model.loaded VALUES (\(itemTenant), old.id, v, false);
    END $$;

    ALTER TABLE staging.items DROP CONSTRAINT items_pkey;
    CREATE VIEW model.staged AS
    SELECT tenant, id, updated_at, account > 0 AND code <> 'taken' AND amount >= 0 AS is_good FROM staging.orders
    UNION ALL SELECT \(itemTenant), id, updated_at, amount >= 0 FROM staging.items;
    """
}
