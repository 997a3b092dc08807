import Libpq

/// The tables that are tormented, and the model of what must be true of them in the end.
///
/// Every version is drawn from one sequence, so "newer" is known for all writers together. A row's payload is made of
/// key and version, so that a row put together from two writes shows.
///
/// `orders` has a key of two columns, whose versions are looked up; `items` has one integer, loaded in dense stretches,
/// which are read from end to end. Staging of `orders` has a status column; that of `items` has none, is rewritten, changed and
/// emptied while it is read. The rows of `tree` refer to each other, children first and their parents with a later load. Staging
/// of `remote` is in another database. In the model the other tables' rows are those of tenants that `orders` does not have.
enum TortureSchema {
  static let keyCount = 4000
  static let itemCount = 3000
  static let remoteCount = 1500
  /// The tenants that stand for `items`, `tree` and `remote`.
  static let itemTenant = 1000
  static let treeTenant = 1001
  static let remoteTenant = 1002
  /// The database with staging of `remote`.
  static let remoteDatabase = "apart"

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
    CREATE TABLE production.tree (
      id integer PRIMARY KEY, parent integer REFERENCES production.tree, payload text, updated_at timestamp
    );
    CREATE INDEX ON production.tree (parent);
    CREATE TABLE production.remote (id integer PRIMARY KEY, payload text, updated_at timestamp);
    INSERT INTO production.remote
    SELECT n, model.payload(\(remoteTenant), n, '2025-01-01'), '2025-01-01' FROM generate_series(1, \(remoteCount)) AS n
    WHERE n % 2 = 0;
    CREATE VIEW model.merged AS
    SELECT tenant, id, payload, updated_at FROM production.orders
    UNION ALL SELECT \(itemTenant), id, payload, updated_at FROM production.items
    UNION ALL SELECT \(treeTenant), id, payload, updated_at FROM production.tree
    UNION ALL SELECT \(remoteTenant), id, payload, updated_at FROM production.remote;

    -- What CDC has written, in the order in which it held the row's lock; a delete has no version.
    CREATE TABLE model.changes (
      position bigserial PRIMARY KEY, tenant integer, id integer, version timestamp, is_delete boolean
    );
    -- What was loaded into staging and is there.
    CREATE TABLE model.loaded (tenant integer, id integer, version timestamp, is_poison boolean);
    -- What was deleted from staging, or overwritten there, merged or not.
    CREATE TABLE model.gone (tenant integer, id integer, version timestamp);
    -- Parents that are to come with the next load of `tree`.
    CREATE TABLE model.awaited (id integer);
    CREATE SEQUENCE model.nodes;
    -- Copied at the end.
    CREATE TABLE model.remote_staged (id integer, version timestamp);
    -- How long CDC has waited for others, where that was long, and when clients or lines stood still.
    CREATE TABLE model.waits (started timestamptz, finished timestamptz);
    CREATE TABLE model.freezes (started timestamptz, finished timestamptz);
    CREATE INDEX ON model.changes (tenant, id, version);
    CREATE INDEX ON model.loaded (tenant, id, version);
    CREATE INDEX ON model.gone (tenant, id, version);
    """

  /// From so many milliseconds on a wait is noted.
  static let notedWaitMilliseconds = 200

  /// CDC applies what the source has done last: it does not compare. The version is drawn under the row's lock, so
  /// that it is newer than anything a merge has written before.
  static let createWriters: SQL = """
    CREATE FUNCTION model.note_wait(started timestamptz) RETURNS void LANGUAGE sql VOLATILE AS $$
      INSERT INTO model.waits
      SELECT started, clock_timestamp() WHERE clock_timestamp() - started > \(notedWaitMilliseconds) * interval '1 ms'
    $$;

    CREATE FUNCTION model.write_as_cdc(delete_share double precision) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(keyCount));
      t integer := n % 4;
      v timestamp;
      was_there boolean;
      started timestamptz := clock_timestamp();
    BEGIN
      PERFORM FROM production.orders WHERE tenant = t AND id = n FOR UPDATE;
      was_there := found;
      PERFORM model.note_wait(started);
      IF was_there AND random() < delete_share THEN
        DELETE FROM production.orders WHERE tenant = t AND id = n;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (t, n, NULL, true);
        RETURN;
      END IF;
      v := model.tick();
      IF was_there THEN
        UPDATE production.orders SET amount = random() * 100, payload = model.payload(t, n, v), updated_at = v
        WHERE tenant = t AND id = n;
      ELSE
        started := clock_timestamp();
        INSERT INTO production.orders VALUES (t, n, 1 + n % 100, t || '-' || n, 2, model.payload(t, n, v), v)
        ON CONFLICT (tenant, id) DO NOTHING;
        was_there := NOT found;
        PERFORM model.note_wait(started);
        IF was_there THEN RETURN; END IF;
      END IF;
      INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (t, n, v, false);
    END $$;

    CREATE FUNCTION model.write_tree_as_cdc() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer;
      v timestamp;
      started timestamptz;
    BEGIN
      SELECT id INTO n FROM production.tree OFFSET floor(random() * 500) LIMIT 1;
      IF NOT found THEN RETURN; END IF;
      started := clock_timestamp();
      PERFORM FROM production.tree WHERE id = n FOR UPDATE;
      PERFORM model.note_wait(started);
      IF NOT EXISTS (SELECT FROM production.tree WHERE id = n) THEN RETURN; END IF;
      v := model.tick();
      UPDATE production.tree SET payload = model.payload(\(treeTenant), n, v), updated_at = v WHERE id = n;
      INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(treeTenant), n, v, false);
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
      PERFORM model.forget(old.id, old.updated_at);
      INSERT INTO model.loaded VALUES (\(itemTenant), old.id, v, false);
    END $$;

    CREATE FUNCTION model.forget(item integer, old_version timestamp) RETURNS void LANGUAGE sql VOLATILE AS $$
      WITH forgotten AS (
        DELETE FROM model.loaded AS l
        USING (SELECT ctid FROM model.loaded
               WHERE tenant = \(itemTenant) AND id = item AND version = old_version LIMIT 1) AS gone
        WHERE l.ctid = gone.ctid
        RETURNING l.tenant, l.id, l.version
      )
      INSERT INTO model.gone SELECT * FROM forgotten
    $$;

    CREATE FUNCTION model.delete_item() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      old record;
    BEGIN
      SELECT ctid AS address, id, updated_at INTO old FROM staging.items
      OFFSET floor(random() * 300) LIMIT 1 FOR UPDATE SKIP LOCKED;
      IF NOT found THEN RETURN; END IF;
      DELETE FROM staging.items WHERE ctid = old.address;
      PERFORM model.forget(old.id, old.updated_at);
    END $$;

    -- Whoever loads holds its lock until both tables know it.
    CREATE FUNCTION model.truncate_items() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      TRUNCATE staging.items;
      WITH forgotten AS (DELETE FROM model.loaded WHERE tenant = \(itemTenant) RETURNING tenant, id, version)
      INSERT INTO model.gone SELECT * FROM forgotten;
    END $$;

    -- The parents that the last load left out, and children of which the last ones' parent comes with the next load.
    CREATE FUNCTION model.load_tree(row_count integer) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      first integer := nextval('model.nodes') * 1000;
    BEGIN
      WITH due AS (
        DELETE FROM model.awaited RETURNING id
      ), versioned AS MATERIALIZED (
        SELECT id, model.tick() AS version FROM due
      ), staged AS (
        INSERT INTO staging.tree (id, parent, payload, updated_at)
        SELECT id, NULL, model.payload(\(treeTenant), id, version), version FROM versioned
      )
      INSERT INTO model.loaded SELECT \(treeTenant), id, version, false FROM versioned;
      IF row_count = 0 THEN RETURN; END IF;
      WITH chain AS MATERIALIZED (
        SELECT first + k AS id, CASE WHEN random() < 0.7 THEN first + k + 1 ELSE first + row_count END AS parent,
               model.tick() AS version
        FROM generate_series(0, row_count - 1) AS k
      ), staged AS (
        INSERT INTO staging.tree (id, parent, payload, updated_at)
        SELECT id, parent, model.payload(\(treeTenant), id, version), version FROM chain ORDER BY id
      ), loaded AS (
        INSERT INTO model.loaded SELECT \(treeTenant), id, version, false FROM chain
      )
      INSERT INTO model.awaited VALUES (first + row_count);
    END $$;

    ALTER TABLE staging.items DROP CONSTRAINT items_pkey;
    CREATE INDEX items_id ON staging.items (id);
    CREATE VIEW model.staged AS
    SELECT tenant, id, updated_at, account > 0 AND code <> 'taken' AND amount >= 0 AS is_good FROM staging.orders
    UNION ALL SELECT \(itemTenant), id, updated_at, amount >= 0 FROM staging.items
    UNION ALL SELECT \(treeTenant), id, updated_at, true FROM staging.tree
    UNION ALL SELECT \(remoteTenant), id, version, true FROM model.remote_staged;
    """

  /// The other database: staging of `remote`, with a clock of its own, since nobody else writes to that table.
  static let createRemote: SQL = """
    CREATE SCHEMA staging;
    CREATE SCHEMA model;
    CREATE TABLE staging.remote (id integer, payload text, updated_at timestamp);
    CREATE TABLE model.loaded (id integer, version timestamp);
    CREATE SEQUENCE model.clock;
    CREATE FUNCTION model.load_remote(row_count integer) RETURNS void LANGUAGE sql VOLATILE AS $$
      WITH picked AS MATERIALIZED (
        SELECT 1 + floor(random() * \(remoteCount))::integer AS id,
               timestamp '2025-01-01' + nextval('model.clock') * interval '1 microsecond' AS version
        FROM generate_series(1, row_count)
      ), staged AS (
        INSERT INTO staging.remote SELECT id, md5('\(remoteTenant)/' || id || '/' || version), version FROM picked
      )
      INSERT INTO model.loaded SELECT id, version FROM picked
    $$;
    """
}
