import Libpq

/// What must be true of the tables that are tormented: who has written what.
///
/// Every version is drawn from one sequence, so "newer" is known for all writers together. A row's payload is made of key and version,
/// so that a row put together from two writes shows. Tables without tenants are known as those of tenants that ``TortureOrders`` does
/// not have.
public enum TortureModel {
  /// From so many milliseconds on a wait is noted.
  public static let notedWaitMilliseconds = 200

  /// The schema `model`.
  public static let create: SQL = """
    CREATE SCHEMA model;
    CREATE SEQUENCE model.clock;
    CREATE FUNCTION model.tick() RETURNS timestamp LANGUAGE sql VOLATILE
      AS $$ SELECT timestamp '2025-01-01' + nextval('model.clock') * interval '1 microsecond' $$;
    CREATE FUNCTION model.payload(tenant integer, id integer, version timestamp) RETURNS text LANGUAGE sql IMMUTABLE
      AS $$ SELECT md5(tenant || '/' || id || '/' || version) $$;

    -- What CDC has written, in the order in which it held the row's lock; a delete has no version.
    CREATE TABLE model.changes (
      position bigserial PRIMARY KEY, tenant integer, id integer, version timestamp, is_delete boolean
    );
    -- What was loaded into staging and is there.
    CREATE TABLE model.loaded (tenant integer, id integer, version timestamp, is_poison boolean);
    -- What was deleted from staging, or overwritten there, merged or not.
    CREATE TABLE model.gone (tenant integer, id integer, version timestamp);
    -- How long CDC has waited for others, where that was long, and when clients or lines stood still.
    CREATE TABLE model.waits (started timestamptz, finished timestamptz);
    CREATE TABLE model.freezes (started timestamptz, finished timestamptz);
    CREATE INDEX ON model.changes (tenant, id, version);
    CREATE INDEX ON model.loaded (tenant, id, version);
    CREATE INDEX ON model.gone (tenant, id, version);

    CREATE FUNCTION model.note_wait(started timestamptz) RETURNS void LANGUAGE sql VOLATILE AS $$
      INSERT INTO model.waits
      SELECT started, clock_timestamp() WHERE clock_timestamp() - started > \(notedWaitMilliseconds) * interval '1 ms'
    $$;
    """
}
