import Libpq

/// A table whose key is one integer, loaded in dense stretches, which are read from end to end; its staging has no status column.
public enum TortureItems {
  /// How many keys there are.
  public static let count = 3000
  /// The tenant that stands for them in the model.
  public static let tenant = 1000

  /// Production, two thirds full.
  public static let create: SQL = """
    CREATE TABLE production.items (id integer PRIMARY KEY, amount integer CHECK (amount >= 0), payload text, updated_at timestamp);
    INSERT INTO production.items
    SELECT n, 1, model.payload(\(tenant), n, '2025-01-01'), '2025-01-01' FROM generate_series(1, \(count)) AS n
    WHERE n % 3 > 0;
    """

  /// CDC and whoever loads staging.
  public static let createWriters: SQL = """
    CREATE FUNCTION model.write_item_as_cdc(delete_share double precision) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(count));
      v timestamp;
      was_there boolean;
    BEGIN
      PERFORM FROM production.items WHERE id = n FOR UPDATE;
      was_there := found;
      IF was_there AND random() < delete_share THEN
        DELETE FROM production.items WHERE id = n;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(tenant), n, NULL, true);
        -- The same key may come again in the same transaction.
        IF random() < 0.5 THEN RETURN; END IF;
        was_there := false;
      END IF;
      v := model.tick();
      IF was_there THEN
        UPDATE production.items SET amount = 2, payload = model.payload(\(tenant), n, v), updated_at = v WHERE id = n;
      ELSE
        INSERT INTO production.items VALUES (n, 2, model.payload(\(tenant), n, v), v) ON CONFLICT (id) DO NOTHING;
        IF NOT found THEN RETURN; END IF;
      END IF;
      INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(tenant), n, v, false);
    END $$;

    CREATE FUNCTION model.load_items(row_count integer, poison_share double precision) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
      first integer := floor(random() * (\(count) - row_count));
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
        SELECT n, CASE WHEN is_poison THEN -1 ELSE 3 END, model.payload(\(tenant), n, version), version FROM versioned
      )
      INSERT INTO model.loaded SELECT \(tenant), n, version, is_poison FROM versioned;
    END $$;
    """

  /// Has staging take several rows of a key, as several loads bring them. Alone: Citus passes on the text that it is part of.
  public static let dropKeyOfStaging: SQL = "ALTER TABLE staging.items DROP CONSTRAINT items_pkey"

  /// Production's rows, for the view `model.merged` of all tables.
  public static let merged: SQL = "SELECT \(tenant), id, payload, updated_at FROM production.items"

  /// Staging's rows, for the view `model.staged` of all tables.
  public static let staged: SQL = "SELECT \(tenant), id, updated_at, amount >= 0 FROM staging.items"
}
