import Libpq

/// Finds staging's rows whose keys or versions can't be read as production's types.
///
/// Whoever compares all rows in one statement has to know them beforehand: the first that is met fails the statement for all others.
struct UnreadableRows {
  private let plan: TablePlan
  private let staging: Connection
  private let values: [SQL]

  /// More than these are not told from the others. Arbitrary: each takes some 30 statements to find.
  static let limit = 1000

  private init(_ plan: TablePlan, _ staging: Connection, _ values: [SQL]) {
    self.plan = plan
    self.staging = staging
    self.values = values
  }

  /// Those whose keys can't be production's, or would be another row's there: they stand for no row of production.
  ///
  /// - Parameter staging: to staging's database, with no transaction open.
  static func keys(of plan: TablePlan, _ staging: Connection) -> UnreadableRows {
    let mayFail = plan.keyColumns.contains { !$0.isReadAsItIs || $0.keyCast != nil }
    return UnreadableRows(plan, staging, mayFail ? plan.keyColumns.map { plan.keyInProduction($0) } : [])
  }

  /// Those whose versions are texts of something else: they lie in no window.
  ///
  /// - Parameter staging: to staging's database, with no transaction open.
  static func versions(of plan: TablePlan, _ staging: Connection) -> UnreadableRows {
    let version = plan.version
    let isText = version.readsTextAsTime || version.inStaging.map { TypeOID.strings.contains($0.type) } ?? false
    return UnreadableRows(plan, staging, isText ? [version.readExpression] : [])
  }

  /// Looks for them: a scan of the table where their types may lead to any, and more where there are some.
  ///
  /// - Returns: their addresses; nil where there are more than ``limit``.
  func find() throws(PostgresError) -> [UInt64]? {
    guard !values.isEmpty else { return [] }
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
    let counts = values.map { "count(\($0))" as SQL }
    let condition: SQL = range.map { " WHERE \($0.condition)" } ?? ""
    do {
      _ = try staging.query("SELECT \(counts.joined(", ")) FROM \(plan.staging) AS s\(condition)", operation)
      return true
    } catch {
      guard error.refusesRow else { throw error }
      return false
    }
  }

  private var operation: String { "looking for rows of \(plan.staging) that can't be read" }
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
