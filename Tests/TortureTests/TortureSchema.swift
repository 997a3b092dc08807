import Libpq
import TortureSupport

/// The tables that are tormented on one server.
///
/// Of ``TortureOrders`` versions are looked up. Staging of ``TortureItems`` is rewritten, changed and emptied while it is read. The
/// rows of `tree` refer to each other, children first and their parents with a later load. Staging of `remote` is in another database.
enum TortureSchema {
  static let remoteCount = 1500
  /// The tenants that stand for `tree` and `remote` in the model.
  static let treeTenant = 1001
  static let remoteTenant = 1002
  /// The database with staging of `remote`.
  static let remoteDatabase = "apart"

  static let create: SQL = """
    CREATE SCHEMA production;
    \(TortureModel.create)
    \(TortureOrders.create(refusesTakenCodes: "UNIQUE"))
    \(TortureItems.create)
    CREATE TABLE production.tree (
      id integer PRIMARY KEY, parent integer REFERENCES production.tree, payload text, updated_at timestamp
    );
    CREATE INDEX ON production.tree (parent);
    CREATE TABLE production.remote (id integer PRIMARY KEY, payload text, updated_at timestamp);
    INSERT INTO production.remote
    SELECT n, model.payload(\(remoteTenant), n, '2025-01-01'), '2025-01-01' FROM generate_series(1, \(remoteCount)) AS n
    WHERE n % 2 = 0;
    CREATE VIEW model.merged AS \(TortureOrders.merged) UNION ALL \(TortureItems.merged)
    UNION ALL SELECT \(treeTenant), id, payload, updated_at FROM production.tree
    UNION ALL SELECT \(remoteTenant), id, payload, updated_at FROM production.remote;

    -- Parents that are to come with the next load of `tree`.
    CREATE TABLE model.awaited (id integer);
    CREATE SEQUENCE model.nodes;
    -- Copied at the end.
    CREATE TABLE model.remote_staged (id integer, version timestamp);
    """

  /// Who writes and loads, and who changes staging meanwhile.
  static let createWriters: SQL = """
    \(TortureOrders.createWriters)
    \(TortureItems.createWriters)
    \(TortureOrders.dropKeyOfStaging);
    \(TortureItems.dropKeyOfStaging);
    CREATE INDEX items_id ON staging.items (id);

    -- An update of the key: one row is deleted, and another written, unless that one is there, which is an error.
    CREATE FUNCTION model.change_key_of_item_as_cdc() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      old_id integer := 1 + floor(random() * \(TortureItems.count));
      new_id integer := 1 + floor(random() * \(TortureItems.count));
      v timestamp := model.tick();
    BEGIN
      UPDATE production.items SET id = new_id, amount = 2, payload = model.payload(\(TortureItems.tenant), new_id, v), updated_at = v
      WHERE id = old_id AND old_id <> new_id;
      IF NOT found THEN RETURN; END IF;
      INSERT INTO model.changes (tenant, id, version, is_delete)
      VALUES (\(TortureItems.tenant), old_id, NULL, true), (\(TortureItems.tenant), new_id, v, false);
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

    -- A second load that changes a row which is in staging already, merged or not.
    CREATE FUNCTION model.change_item() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      old record;
      v timestamp := model.tick();
    BEGIN
      SELECT ctid AS address, id, updated_at INTO old FROM staging.items WHERE amount >= 0
      OFFSET floor(random() * 300) LIMIT 1 FOR UPDATE SKIP LOCKED;
      IF NOT found THEN RETURN; END IF;
      UPDATE staging.items SET updated_at = v, payload = model.payload(\(TortureItems.tenant), old.id, v) WHERE ctid = old.address;
      PERFORM model.forget(old.id, old.updated_at);
      INSERT INTO model.loaded VALUES (\(TortureItems.tenant), old.id, v, false);
    END $$;

    CREATE FUNCTION model.forget(item integer, old_version timestamp) RETURNS void LANGUAGE sql VOLATILE AS $$
      WITH forgotten AS (
        DELETE FROM model.loaded AS l
        USING (SELECT ctid FROM model.loaded
               WHERE tenant = \(TortureItems.tenant) AND id = item AND version = old_version LIMIT 1) AS gone
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
      WITH forgotten AS (DELETE FROM model.loaded WHERE tenant = \(TortureItems.tenant) RETURNING tenant, id, version)
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

    CREATE VIEW model.staged AS \(TortureOrders.staged) UNION ALL \(TortureItems.staged)
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
