import Libpq

/// What must be true when a storm is over, as a query that counts violations.
public struct TortureRule: Sendable {
  /// What is true.
  public let claim: String
  /// How often it is not.
  public let violations: SQL
  /// What breaks the rule: one that nothing breaks would prove nothing.
  public let tampering: SQL

  /// - Parameters: as the properties are.
  public init(claim: String, violations: SQL, tampering: SQL) {
    self.claim = claim
    self.violations = violations
    self.tampering = tampering
  }

  /// How often the rule is broken.
  public func violationCount(_ connection: Connection) throws -> Int {
    try connection.query(violations, "checking: \(claim)").integer(0, 0) ?? -1
  }

  /// How often it is broken when something has broken it, which is then taken back.
  public func violationCountWhenTampered(_ connection: Connection) throws -> Int {
    try connection.execute("BEGIN; \(tampering)", "breaking a rule")
    let count = try violationCount(connection)
    try connection.execute("ROLLBACK", "mending a rule")
    return count
  }
}

/// The rules that hold wherever ``TortureOrders`` and ``TortureItems`` are merged: of the views `model.merged` and `model.staged`.
extension TortureRule {
  /// The latest delete of each key, what CDC wrote after it, and what was merged.
  private static let history: SQL = """
    WITH deletes AS (
      SELECT tenant, id, max(position) AS position FROM model.changes WHERE is_delete GROUP BY tenant, id
    ), written AS (
      SELECT c.tenant, c.id, max(c.version) AS version
      FROM model.changes AS c LEFT JOIN deletes AS d USING (tenant, id)
      WHERE NOT c.is_delete AND (d.position IS NULL OR c.position > d.position)
      GROUP BY c.tenant, c.id
    ), merged AS (
      SELECT l.tenant, l.id, max(l.version) AS version
      FROM model.loaded AS l LEFT JOIN deletes AS d USING (tenant, id)
      WHERE d.position IS NULL AND NOT l.is_poison
      GROUP BY l.tenant, l.id
    ), due AS (
      SELECT tenant, id, max(version) AS version
      FROM (SELECT * FROM written UNION ALL SELECT * FROM merged) AS newest
      GROUP BY tenant, id
    )
    """

  /// Newer wins, and nothing of it is lost.
  public static let noOlderRow = TortureRule(
    claim: "no production row is older than the newest version written for its key since its last delete",
    violations: """
      \(history)
      SELECT count(*) FROM due LEFT JOIN model.merged AS p USING (tenant, id)
      WHERE p.updated_at IS NULL OR p.updated_at < due.version
      """,
    tampering: "DELETE FROM production.items"
  )

  /// No row is put together from two writes.
  public static let wholeRows = TortureRule(
    claim: "every production row is one that somebody wrote, whole",
    violations: """
      SELECT count(*) FROM model.merged AS p
      WHERE p.payload <> model.payload(p.tenant, p.id, p.updated_at)
         OR NOT (p.updated_at = timestamp '2025-01-01'
                 OR EXISTS (SELECT FROM model.changes AS c
                            WHERE (c.tenant, c.id, c.version) = (p.tenant, p.id, p.updated_at))
                 OR EXISTS (SELECT FROM model.loaded AS l
                            WHERE (l.tenant, l.id, l.version) = (p.tenant, p.id, p.updated_at))
                 OR EXISTS (SELECT FROM model.gone AS g
                            WHERE (g.tenant, g.id, g.version) = (p.tenant, p.id, p.updated_at)))
      """,
    tampering: "UPDATE production.items SET payload = 'x' WHERE id = (SELECT min(id) FROM production.items)"
  )

  /// Merges leave staging as it was loaded.
  public static let noStagingRowLost = TortureRule(
    claim: "no staging row is lost or doubled",
    violations: """
      SELECT (SELECT count(*) FROM (SELECT tenant, id, version FROM model.loaded
                                    EXCEPT ALL SELECT tenant, id, updated_at FROM model.staged) AS lost)
           + (SELECT count(*) FROM (SELECT tenant, id, updated_at FROM model.staged
                                    EXCEPT ALL SELECT tenant, id, version FROM model.loaded) AS doubled)
      """,
    tampering: "DELETE FROM staging.orders WHERE ctid = (SELECT min(ctid) FROM staging.orders)"
  )

  /// Marks say what became of a row.
  public static let everyRowIsMarked = TortureRule(
    claim:
      "where staging has a status column every row is marked, and only rows that can't be stored are marked ERROR",
    violations: """
      SELECT count(*) FROM staging.orders
      WHERE (_dms_processing_status IN ('PROCESSED', 'ERROR')) IS NOT TRUE
         OR _dms_processing_status = 'ERROR' AND account > 0 AND code <> 'taken' AND amount >= 0
      """,
    tampering: """
      UPDATE staging.orders SET _dms_processing_status = 'NEW' WHERE ctid = (SELECT min(ctid) FROM staging.orders)
      """
  )

  /// A run that was killed is closed by the next.
  public static let noRunIsLeftRunning = TortureRule(
    claim: "no run is left RUNNING",
    violations: "SELECT count(*) FROM admin.merge_summary WHERE status = 'RUNNING'",
    tampering: "UPDATE admin.merge_summary SET status = 'RUNNING'"
  )
}
