import Libpq

/// Reads the rows to show of a dry run as text, staging beside production.
struct SampleReader {
  let plan: TablePlan
  let production: Connection
  let staging: Connection

  /// Longer values are cut for show. Arbitrary.
  private static let shownCharacterCount = 200

  /// The samples, by kind; rows that have gone meanwhile are left out.
  func read(_ rows: [PlanReport.SampleKind: [DryRunOutcome.SampledRow]]) throws -> [PlanReport.Sample] {
    try PlanReport.SampleKind.allCases.flatMap { kind in
      try (rows[kind] ?? []).compactMap { try sample(kind, $0) }
    }
  }

  private func sample(_ kind: PlanReport.SampleKind, _ row: DryRunOutcome.SampledRow) throws -> PlanReport.Sample? {
    if let refusal = row.refusal { return try refusedSample(row.address, refusal) }
    guard let new = try stagingValues(row.address) else { return nil }
    let key = key(new)
    switch kind {
    case .insert:
      let columns = plan.columns.indices.map { index in
        PlanReport.ColumnChange(column: plan.columns[index].name.name, old: nil, new: Self.shown(new[index]))
      }
      return PlanReport.Sample(verdict: kind, key: key, columns: columns, message: nil)
    case .unchanged:
      return PlanReport.Sample(verdict: kind, key: key, columns: [], message: nil)
    case .update, .stale, .duplicate, .error, .tie:
      do {
        return PlanReport.Sample(verdict: kind, key: key, columns: try changes(new), message: nil)
      } catch {
        // A value that production does not read is for the counts to tell: a sample may be of such a row.
        guard error.refusesRow else { throw error }
        return PlanReport.Sample(verdict: kind, key: key, columns: [], message: error.message)
      }
    }
  }

  /// Staging's shared columns as text, cast as the merge casts them.
  private func stagingValues(_ address: UInt64) throws(PostgresError) -> [String?]? {
    try staged(plan.columns.map { $0.baseType.exactText(of: $0.readExpression) }, at: address)
  }

  /// - Returns: what the row at `address` has for these expressions; nil when it has gone.
  private func staged(_ values: [SQL], at address: UInt64) throws(PostgresError) -> [String?]? {
    let result = try staging.query(
      "SELECT \(values.joined(", ")) FROM \(plan.staging) AS s WHERE s.ctid = \(TupleAddress(address))",
      "reading a sample of \(plan.staging)"
    )
    guard result.count == 1 else { return nil }
    return values.indices.map { result.text(0, $0) }
  }

  /// The columns in which production's row of the same key differs; none if there is no such row.
  private func changes(_ new: [String?]) throws(PostgresError) -> [PlanReport.ColumnChange] {
    let parameters = new.map { Parameter.text($0) }
    func staged(_ index: Int) -> SQL {
      // Casting to a length would cut the value.
      let type = plan.columns[index].baseType
      return "$\(index + 1)::text::\(type.castTruncates ? type.plainName : type.fullName)"
    }
    let match = plan.columns[..<plan.keyColumnCount].indices.map { index in
      "p.\(plan.columns[index].name) \(plan.columns[index].equality) \(staged(index))" as SQL
    }
    let equalities = Dictionary(
      uniqueKeysWithValues: (plan.writing.ties?.columns ?? []).map { ($0.index, $0.equality) }
    )
    let outputs = plan.columns.indices.map { index in
      let differs = ApplySQL.isDistinct(
        "p.\(plan.columns[index].name)",
        staged(index),
        equalities[index] ?? nil
      )
      let old = plan.columns[index].baseType.exactText(of: "p.\(plan.columns[index].name)")
      return "(\(index), \(old), \(differs))" as SQL
    }
    // A row a column: of the columns of a wide table two by two a statement could not return all.
    let result = try production.query(
      """
      SELECT c.old, c.differs
      FROM \(plan.production) AS p
      CROSS JOIN LATERAL (VALUES \(outputs.joined(", "))) AS c (position, old, differs)
      WHERE \(match.joined(" AND ")) ORDER BY c.position
      """,
      parameters,
      "reading a sample of \(plan.production)"
    )
    guard result.count == plan.columns.count else { return [] }
    return plan.columns.indices.dropFirst(plan.keyColumnCount).compactMap { index in
      // What an update leaves alone is not shown as if it changed.
      guard result.bool(index, 1) == true, !plan.columns[index].isInsertOnly else { return nil }
      return PlanReport.ColumnChange(
        column: plan.columns[index].name.name,
        old: Self.shown(result.text(index, 0)),
        new: Self.shown(new[index])
      )
    }
  }

  /// A row that can't be read as production's types, as staging itself has it.
  private func refusedSample(_ address: UInt64, _ refusal: String) throws(PostgresError) -> PlanReport.Sample? {
    let values = plan.keyColumns.map { "s.\($0.stagedName)::text" as SQL }
    guard let own = try staged(values, at: address) else { return nil }
    return PlanReport.Sample(verdict: .error, key: key(own), columns: [], message: refusal)
  }

  private func key(_ values: [String?]) -> [String: String?] {
    Dictionary(
      uniqueKeysWithValues: plan.keyColumns.indices.map { (plan.columns[$0].name.name, Self.shown(values[$0])) }
    )
  }

  private static func shown(_ value: String?) -> String? {
    guard let value, value.count > shownCharacterCount else { return value }
    return value.prefix(shownCharacterCount) + "…"
  }
}
