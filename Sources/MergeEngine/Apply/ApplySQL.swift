import Libpq

/// The statements that write a batch into production.
enum ApplySQL {
  /// The rows of a batch on the server's side, with production's column types; one per connection and table.
  static func createBatchTable(_ plan: TablePlan, _ table: Identifier) -> SQL {
    let columns = plan.columns.map { column in
      column.travel == .text ? "p.\(column.name)::text AS \(column.name)" : "p.\(column.name)" as SQL
    }
    return """
      CREATE TEMPORARY TABLE \(table) ON COMMIT DELETE ROWS AS
      SELECT \(columns.joined(", ")) FROM \(plan.production) AS p WITH NO DATA
      """
  }

  static func copyIntoBatchTable(_ plan: TablePlan, _ table: Identifier) -> SQL {
    "COPY pg_temp.\(table) (\(plan.columns.map(\.name).joined())) FROM STDIN (FORMAT binary)"
  }

  static func emptyBatchTable(_ table: Identifier, truncates: Bool) -> SQL {
    truncates ? "TRUNCATE pg_temp.\(table)" : "DELETE FROM pg_temp.\(table)"
  }

  static func copyIntoProduction(_ plan: TablePlan) -> SQL {
    "COPY \(plan.production) (\(plan.columns.map(\.name).joined())) FROM STDIN (FORMAT binary)"
  }

  /// Inserts what is not there yet, also if somebody else inserts it at this moment.
  ///
  /// A deferrable key can't arbitrate ON CONFLICT; there the rows that can be seen are left out instead.
  static func insertMissing(_ plan: TablePlan, _ table: Identifier) -> SQL {
    let key = plan.keyColumns.map(\.name).joined()
    let guarding: SQL =
      plan.keyIsDeferrable
      ? "WHERE NOT EXISTS (SELECT FROM \(plan.production) AS p WHERE \(match(plan)))"
      : "ON CONFLICT (\(key)) DO NOTHING"
    return """
      INSERT INTO \(plan.production) (\(plan.columns.map(\.name).joined())) OVERRIDING SYSTEM VALUE
      SELECT \(plan.columns.map { value($0) }.joined(", ")) FROM pg_temp.\(table) AS t
      \(guarding)
      """
  }

  /// Updates the rows that are still older, or with ties compared as new and different, comparing again on the row as
  /// it is now.
  static func updateOlder(_ plan: TablePlan, _ table: Identifier) -> SQL {
    let assignments = plan.updatedColumns.map { "\($0.name) = \(value($0))" as SQL }.joined(", ")
    let new = value(plan.version)
    let old: SQL = "p.\(plan.version.name)"
    var isOlder: SQL =
      plan.nullRule == .strict ? "\(new) > \(old)" : "(\(new) > \(old) OR \(old) IS NULL AND \(new) IS NOT NULL)"
    if let ties = plan.ties, !ties.columns.isEmpty {
      let differs = ties.columns.map { column in
        let planned = plan.columns[column.index]
        return isDistinct(value(planned), "p.\(planned.name)", column.equality)
      }
      isOlder = "(\(isOlder) OR \(new) IS NOT DISTINCT FROM \(old) AND (\(differs.joined(" OR "))))"
    }
    return """
      UPDATE \(plan.production) AS p SET \(assignments)
      FROM pg_temp.\(table) AS t
      WHERE \(match(plan)) AND \(isOlder)
      """
  }

  /// Whether two values differ, never NULL. By the type's own equality, or by text where it has none.
  static func isDistinct(_ left: SQL, _ right: SQL, _ equality: EqualityOperators.Equality?) -> SQL {
    guard let equality else { return "(\(left))::text IS DISTINCT FROM (\(right))::text" }
    return "coalesce(NOT (\(left) \(equality.symbol) \(right)), (\(left) IS NULL) <> (\(right) IS NULL))"
  }

  private static func match(_ plan: TablePlan) -> SQL {
    plan.keyColumns.map { "p.\($0.name) \($0.equality) \(value($0))" as SQL }.joined(" AND ")
  }

  private static func value(_ column: TablePlan.Column) -> SQL {
    column.travel == .text ? "t.\(column.name)::\(column.baseType.fullName)" : "t.\(column.name)"
  }
}
