import Libpq
import TortureSupport

/// The tormented tables, distributed side by side, and what only such tables have to promise.
///
/// Who writes does so together with its record in the model, on one node and in one transaction of that node: the records are
/// distributed as the tables are. So no crash can keep one of the two.
///
/// Besides the keys that all write there are settled ones: merged before the storm, never loaded again, and deleted meanwhile.
enum CitusStormSchema {
  /// How many settled keys each table has, behind those that all write.
  static let settledCount = 1000

  /// Production and the model. `init --on-nodes` makes staging.
  static let create: SQL = """
    CREATE SCHEMA production;
    \(TortureModel.create)
    \(TortureOrders.create(refusesTakenCodes: "CHECK (code <> 'taken' OR tenant = -1)"))
    \(TortureItems.create)
    ALTER TABLE model.changes DROP CONSTRAINT changes_pkey;
    SELECT create_reference_table('production.accounts');
    SELECT create_distributed_table('production.items', 'id');
    SELECT create_distributed_table('production.orders', 'id', colocate_with => 'production.items');
    SELECT create_distributed_table('model.changes', 'id', colocate_with => 'production.items');
    SELECT create_distributed_table('model.loaded', 'id', colocate_with => 'production.items');
    """

  /// Who writes, and the first load: the settled keys, which a merge has to read before the storm.
  static let createWriters: SQL = """
    \(TortureOrders.createWriters)
    \(TortureItems.createWriters)

    CREATE FUNCTION model.delete_settled() RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      n integer := 1 + floor(random() * \(settledCount));
    BEGIN
      IF random() < 0.5 THEN
        n := n + \(TortureItems.count);
        DELETE FROM production.items WHERE id = n;
        IF NOT found THEN RETURN; END IF;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (\(TortureItems.tenant), n, NULL, true);
      ELSE
        n := n + \(TortureOrders.keyCount);
        DELETE FROM production.orders WHERE tenant = 0 AND id = n;
        IF NOT found THEN RETURN; END IF;
        INSERT INTO model.changes (tenant, id, version, is_delete) VALUES (0, n, NULL, true);
      END IF;
    END $$;

    INSERT INTO staging.orders (tenant, id, account, code, amount, payload, updated_at)
    SELECT 0, n, 1, '0-' || n, 3, model.payload(0, n, '2025-01-01'), '2025-01-01'
    FROM generate_series(\(TortureOrders.keyCount + 1), \(TortureOrders.keyCount + settledCount)) AS n;
    INSERT INTO model.loaded SELECT tenant, id, updated_at, false FROM staging.orders;
    INSERT INTO staging.items (id, amount, payload, updated_at)
    SELECT n, 3, model.payload(\(TortureItems.tenant), n, '2025-01-01'), '2025-01-01'
    FROM generate_series(\(TortureItems.count + 1), \(TortureItems.count + settledCount)) AS n;
    INSERT INTO model.loaded SELECT \(TortureItems.tenant), id, updated_at, false FROM staging.items;

    CREATE TABLE model.placements AS
    SELECT s.shardid, p.placementid FROM pg_dist_shard AS s JOIN pg_dist_placement AS p USING (shardid)
    WHERE s.logicalrelid = 'production.items'::regclass;
    """

  /// A connection begins by passing over what the sequences may give a second time: after a crash of the coordinator they know of 32
  /// numbers less than they gave, which nodes may have committed.
  static let passOverNumbers: SQL = """
    SELECT nextval('model.clock'), nextval('model.changes_position_seq') FROM generate_series(1, 64)
    """

  /// Moves one of the shards with an even id, so that others never move, with those of all tables that lie beside it.
  static let moveShard: SQL = """
    SELECT citus_move_shard_placement(shardid, f.nodename, f.nodeport, t.nodename, t.nodeport, 'block_writes')
    FROM (SELECT shardid FROM pg_dist_shard
          WHERE logicalrelid = 'production.items'::regclass AND shardid % 2 = 0 ORDER BY random() LIMIT 1) AS s
    JOIN pg_dist_placement AS p USING (shardid) JOIN pg_dist_node AS f ON f.groupid = p.groupid
    JOIN pg_dist_node AS t ON t.groupid <> f.groupid AND t.shouldhaveshards
    """

  /// For the rules: all rows as those of ordinary tables, and the items whose shards have never moved.
  static let gather: SQL = """
    CREATE TABLE model.unmoved AS
    SELECT n AS id FROM generate_series(1, \(TortureItems.count + settledCount)) AS n
    WHERE get_shard_id_for_distribution_column('production.items', n) IN (
      SELECT o.shardid FROM model.placements AS o JOIN pg_dist_placement AS p USING (shardid, placementid));
    SELECT undistribute_table('production.orders', cascade_via_foreign_keys => true);
    SELECT undistribute_table(t) FROM unnest(ARRAY[
      'production.items', 'staging.orders', 'staging.items', 'model.changes', 'model.loaded']::regclass[]) AS t;
    CREATE VIEW model.merged AS \(TortureOrders.merged) UNION ALL \(TortureItems.merged);
    CREATE VIEW model.staged AS \(TortureOrders.staged) UNION ALL \(TortureItems.staged);
    """

  static let rules: [TortureRule] = [
    .noOlderRow, .wholeRows, .noStagingRowLost, .everyRowIsMarked, .noRunIsLeftRunning,
    TortureRule(
      claim:
        "a row that was deleted after its merge stays deleted where staging has a status column, on shards that move too",
      violations: """
        SELECT count(*) FROM production.orders AS p JOIN model.changes AS c USING (tenant, id)
        WHERE id > \(TortureOrders.keyCount) AND c.is_delete
        """,
      tampering: """
        INSERT INTO production.orders
        SELECT s.tenant, s.id, s.account, s.code, s.amount, s.payload, s.updated_at
        FROM staging.orders AS s JOIN model.changes AS c USING (tenant, id) WHERE id > \(TortureOrders.keyCount)
        """
    ),
    TortureRule(
      claim: "a row that was deleted after its merge stays deleted where its shard has never moved",
      violations: """
        SELECT count(*) FROM production.items AS p
        JOIN model.changes AS c ON (c.tenant, c.id) = (\(TortureItems.tenant), p.id)
        WHERE p.id > \(TortureItems.count) AND p.id IN (SELECT id FROM model.unmoved) AND c.is_delete
        """,
      tampering: """
        INSERT INTO production.items
        SELECT s.id, s.amount, s.payload, s.updated_at
        FROM staging.items AS s JOIN model.changes AS c ON (c.tenant, c.id) = (\(TortureItems.tenant), s.id)
        WHERE s.id > \(TortureItems.count) AND s.id IN (SELECT id FROM model.unmoved)
        """
    ),
  ]
}
