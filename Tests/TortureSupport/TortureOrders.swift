import Libpq

/// A table whose key has two columns, with references; its staging has a status column.
public enum TortureOrders {
  /// How many keys there are.
  public static let keyCount = 4000

  /// Production, half full.
  ///
  /// - Parameter refusesTakenCodes: the constraint that refuses the code `taken` to all but the tenant -1, which has it.
  public static func create(refusesTakenCodes: SQL) -> SQL {
    """
    CREATE TABLE production.accounts (id integer PRIMARY KEY, payload text, updated_at timestamp);
    INSERT INTO production.accounts SELECT n, 'account', timestamp '2025-01-01' FROM generate_series(1, 100) AS n;
    CREATE TABLE production.orders (
      tenant integer, id integer,
      account integer NOT NULL REFERENCES production.accounts,
      code text \(refusesTakenCodes), amount numeric CHECK (amount >= 0), payload text, updated_at timestamp,
      PRIMARY KEY (tenant, id)
    );
    CREATE INDEX ON production.orders (account);
    INSERT INTO production.orders VALUES (-1, 0, 1, 'taken', 1, model.payload(-1, 0, '2025-01-01'), '2025-01-01');
    INSERT INTO production.orders
    SELECT n % 4, n, 1 + n % 100, (n % 4) || '-' || n, 1, model.payload(n % 4, n, '2025-01-01'), '2025-01-01'
    FROM generate_series(1, \(keyCount / 2)) AS n;
    """
  }

  /// CDC and whoever loads staging.
  ///
  /// CDC applies what the source has done last: it does not compare. The version is drawn under the row's lock, so that it is newer
  /// than anything a merge has written before.
  public static let createWriters: SQL = """
    CREATE FUNCTION model.write_as_cdc(delete_share double precision) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(keyCount));
      t integer := n % 4;
      -- Citus takes no volatile functions in updates.
      a numeric := random() * 100;
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
        -- The same key may come again in the same transaction.
        IF random() < 0.5 THEN RETURN; END IF;
        was_there := false;
      END IF;
      v := model.tick();
      IF was_there THEN
        UPDATE production.orders SET amount = a, payload = model.payload(t, n, v), updated_at = v
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
    """

  /// Has staging take several rows of a key, as several loads bring them. Alone: Citus passes on the text that it is part of.
  public static let dropKeyOfStaging: SQL = "ALTER TABLE staging.orders DROP CONSTRAINT orders_pkey"

  /// Production's rows, for the view `model.merged` of all tables.
  public static let merged: SQL = "SELECT tenant, id, payload, updated_at FROM production.orders"

  /// Staging's rows, for the view `model.staged` of all tables.
  public static let staged: SQL = """
    SELECT tenant, id, updated_at, account > 0 AND code <> 'taken' AND amount >= 0 AS is_good FROM staging.orders
    """
}
