import Libpq

/// What a plan takes for granted of its two tables, as conditions that every batch asks while it holds its locks.
///
/// Rows travel in binary, without a word about their types, and what became of a row is known from the key that comes back.
/// Where somebody changes a column's type in the middle of a run, the bytes of one type would be taken for another's; a policy of
/// row-level security would hide rows that the ledger then calls read, a trigger or a rule swallow some that count as stale, and
/// what a new column of staging holds would be left behind. What else is added (columns of production, indexes, checks, partitions)
/// disturbs nothing.
struct PlannedShape {
  private let plan: TablePlan

  init(_ plan: TablePlan) { self.plan = plan }

  /// One of the tables is not what the plan was made for.
  struct Broken: Error, CustomStringConvertible {
    let plan: TablePlan

    var description: String {
      "\(plan.production) or \(plan.staging) was changed while the merge was running: a column's name or type, a new column of staging, a "
        + "trigger, a rule, a policy, the key, or the whole table. The batches before are merged as planned, and recorded; run the same command again "
        + "to merge the rest"
    }
  }

  /// Staging has the columns that are read and no further ones, and shows all of its rows. It may be another table by now, as DMS
  /// makes them anew.
  var ofStaging: SQL {
    let columns = plan.columns.compactMap { column in column.inStaging.map { (column.stagedName, $0) } }
    return Self.all([
      Self.has(columns, in: plan.staging, of: plan.stagingOid), Self.showsAllRows(plan.staging),
      """
      (SELECT count(*) FROM pg_attribute a
       WHERE a.attrelid = \(Self.oid(of: plan.staging)) AND a.attnum > 0 AND NOT a.attisdropped) <= \(plan.stagedColumnCount)
      """,
    ])
  }

  /// Production is the same table, with the columns that are written and the key, and nobody new stands in a row's way.
  var ofProduction: SQL {
    let production = Self.oid(of: plan.production)
    let columns = plan.columns.compactMap { column in column.inProduction.map { (column.name, $0) } }
    let keyNames = plan.keyColumns.map { "\(Literal($0.name.name))::text" as SQL }.joined(", ")
    // ROW is 1, BEFORE 2, INSERT 4, UPDATE 16 (pg_trigger.h).
    let unknown = [plan.writing.triggers.onInsert ? nil : 7, plan.writing.triggers.onUpdate ? nil : 19].compactMap {
      mask in
      mask.map { "g.tgtype::integer & \($0) = \($0)" as SQL }
    }
    var conditions: [SQL] = [
      "\(production) = \(plan.productionOid)", Self.has(columns, in: plan.production, of: plan.productionOid),
      Self.showsAllRows(plan.production),
      """
      EXISTS (SELECT FROM pg_index i
              WHERE i.indrelid = \(production) AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
                AND ARRAY(SELECT a.attname::text FROM pg_attribute a
                          WHERE a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) ORDER BY 1)
                    = ARRAY(SELECT k.name FROM unnest(ARRAY[\(keyNames)]) AS k (name) ORDER BY 1))
      """,
      """
      NOT EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = \(production) AND r.ev_type IN ('2', '3') AND \(Self.fires("r")))
      """,
    ]
    if !unknown.isEmpty {
      conditions.append(
        """
        NOT EXISTS (WITH RECURSIVE \(DescendantTables.tree(of: plan.productionOid))
                    SELECT FROM tree JOIN pg_trigger g ON g.tgrelid = tree.oid
                    WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
                      AND (\(unknown.joined(" OR "))))
        """
      )
    }
    return Self.all(conditions)
  }

  /// Whether a rule acts in a session like this one.
  static func fires(_ rule: SQL) -> SQL {
    """
    (\(rule).ev_enabled = 'A'
     OR \(rule).ev_enabled = CASE WHEN current_setting('session_replication_role') = 'replica' THEN 'R' ELSE 'O' END)
    """
  }

  /// Whether both tables are still what they were planned as: asked when a batch has failed, for the reason may be that they are not.
  func stands(_ connections: WorkerConnections) throws(PostgresError) -> Bool {
    func holds(_ condition: SQL, _ connection: Connection) throws(PostgresError) -> Bool {
      try connection.query("SELECT (\(condition)) IS TRUE", "looking whether \(plan.production) was changed").bool(0, 0)
        ?? false
    }
    guard try holds(ofProduction, connections.production) else { return false }
    guard plan.reading.snapshot == nil else { return true }
    return try holds(ofStaging, connections.staging)
  }

  /// True, or an error of the server's that ``isBroken(_:)`` knows again.
  static func require(_ condition: SQL) -> SQL {
    "CASE WHEN (\(condition)) IS TRUE THEN true ELSE \(KeyCast.refusal(["\(Literal(words))"])) END"
  }

  static func isBroken(_ error: PostgresError) -> Bool {
    error.origin == .server && KeyCast.explained(error).message == words
  }

  private static let words = "the table is not what it was"

  private static func oid(of table: QualifiedName) -> SQL { "to_regclass(\(Literal(table.quoted)))::oid" }

  private static func showsAllRows(_ table: QualifiedName) -> SQL { "NOT row_security_active(\(oid(of: table)))" }

  /// - Parameter planned: the table that was planned for. In it a column of the same name may yet be another one.
  private static func has(
    _ columns: [(name: Identifier, declared: CatalogColumn.Declaration)],
    in table: QualifiedName,
    of planned: UInt32
  ) -> SQL {
    let names = columns.map { "\(Literal($0.name.name))::name" as SQL }.joined(", ")
    let types = list(columns.map { Int($0.declared.type) })
    let modifiers = list(columns.map(\.declared.modifier))
    return """
      (SELECT count(*)
       FROM unnest(ARRAY[\(names)]::name[], \(types)::oid[], \(modifiers)::int[], \(list(columns.map(\.declared.number)))::int[])
         AS w (name, type, modifier, number)
       JOIN pg_attribute a ON a.attrelid = \(oid(of: table)) AND a.attname = w.name AND NOT a.attisdropped
                          AND a.atttypid = w.type AND a.atttypmod = w.modifier
                          AND (a.attnum = w.number OR a.attrelid <> \(planned))) = \(columns.count)
      """
  }

  private static func list(_ numbers: [Int]) -> Literal {
    Literal("{" + numbers.map(String.init).joined(separator: ",") + "}")
  }

  private static func all(_ conditions: [SQL]) -> SQL { conditions.joined(" AND ") }
}
