import Libpq

/// Finds staging's rows whose keys can't be read as production's, or would be another row's key there.
///
/// They stand for no row of production. Whoever compares both tables in one statement has to know them beforehand: the first that is met
/// fails the statement for all other rows.
struct UnreadableKeys {
  let plan: TablePlan
  /// To staging's database, with no transaction open.
  let staging: Connection

  /// More than these are not held against production. Arbitrary: each takes some 30 statements to find.
  static let limit = 1000

  /// Looks for them: a scan of the table where their types may lead to any, and more where there are some.
  ///
  /// - Returns: their addresses; nil where there are more than ``limit``.
  func find() throws(PostgresError) -> [UInt64]? {
    guard plan.keyColumns.contains(where: { !$0.isReadAsItIs || $0.keyCast != nil }) else { return [] }
    guard try !areReadable(in: nil) else { return [] }
    let blockCount = try staging.query(
      "SELECT pg_relation_size(\(Literal(plan.staging.quoted))::regclass) / current_setting('block_size')::bigint",
      operation
    ).integer(0, 0)
    var found: [UInt64] = []
    var ranges = [TupleRange(blocks: 0..<max(blockCount ?? 0, 1))]
    while let range = ranges.popLast() {
      guard try !areReadable(in: range) else { continue }
      if let (lower, upper) = range.halves {
        ranges += [upper, lower]
      } else {
        found.append(range.start)
        guard found.count <= Self.limit else { return nil }
      }
    }
    return found
  }

  private func areReadable(in range: TupleRange?) throws(PostgresError) -> Bool {
    let keys = plan.keyColumns.map { "count(\(plan.keyInProduction($0)))" as SQL }
    let condition: SQL = range.map { " WHERE \($0.condition)" } ?? ""
    do {
      _ = try staging.query("SELECT \(keys.joined(", ")) FROM \(plan.staging) AS s\(condition)", operation)
      return true
    } catch {
      guard error.refusesRow else { throw error }
      return false
    }
  }

  private var operation: String { "reading the keys of \(plan.staging)" }
}

extension TablePlan {
  /// A key column of staging alias `s` as a value of production's type; NULL where the key is known not to be one.
  ///
  /// - Precondition: the types are known in staging's database.
  func keyInProduction(_ column: Column) -> SQL {
    let value: SQL =
      column.travel == .text ? "(\(column.claimExpression))::\(column.baseType.uncutName)" : column.claimExpression
    guard !reading.unreadableKeys.isEmpty else { return value }
    // No other form is sure to be evaluated in this order.
    return "CASE WHEN s.ctid <> ALL (\(TupleAddress.list(reading.unreadableKeys))) THEN \(value) END"
  }
}
