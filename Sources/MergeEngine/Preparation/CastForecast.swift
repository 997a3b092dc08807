import Libpq

/// How many pending rows the casts to production's types would change; all counted in one scan.
struct CastForecast {
  let pair: TablePair
  let staging: Connection

  private struct Question {
    let column: TablePlan.Column
    /// True for the rows that are counted; columns of `t` under production's names, of `s` as in staging.
    let condition: SQL
    let message: (Int) -> String
  }

  func all() throws(PostgresError) -> [Finding] {
    let questions = losses
    guard !questions.isEmpty else { return [] }
    if let counts = try countsIfReadable(questions) { return findings(questions, counts) }
    // A row that can't be read as production's types fails the whole scan: question by question then.
    var found: [Finding] = []
    for question in questions {
      guard let counts = try countsIfReadable([question]) else { continue }
      found += findings([question], counts)
    }
    return found
  }

  private func countsIfReadable(_ questions: [Question]) throws(PostgresError) -> [Int]? {
    do {
      return try counts(questions)
    } catch {
      guard error.origin == .server, error.sqlState != .queryCanceled else { throw error }
      return nil
    }
  }

  private func counts(_ questions: [Question]) throws(PostgresError) -> [Int] {
    let counts = questions.map { "count(*) FILTER (WHERE \($0.condition))" as SQL }.joined(", ")
    let columns = questions.map { "\(Self.value($0.column)) AS \($0.column.name)" as SQL }.joined(", ")
    // OFFSET 0 would compute every column; as it stands the server computes what the conditions ask for.
    let result = try staging.query(
      """
      SELECT \(counts)
      FROM \(pair.plan.staging) AS s CROSS JOIN LATERAL (SELECT \(columns)) AS t
      WHERE true\(ClaimSQL.rowCondition(pair.plan))
      """,
      "looking for values of \(pair.plan.staging) that casts change"
    )
    return questions.indices.map { result.integer(0, $0) ?? 0 }
  }

  private func findings(_ questions: [Question], _ counts: [Int]) -> [Finding] {
    zip(questions, counts).filter { $0.1 > 0 }.map { .warning(.typeConversion, pair.plan.name, $0.message($1)) }
  }

  /// The value as production gets it, in production's type.
  private static func value(_ column: TablePlan.Column) -> SQL {
    column.travel == .text ? "(\(column.readExpression))::\(column.baseType.plainName)" : column.readExpression
  }

  /// Values that are not the same any more after the cast to production's type and back.
  private var losses: [Question] {
    pair.columns.compactMap { column in
      let source = column.staging.baseType
      let target = column.production.baseType
      guard source.oid != target.oid || (source.modifier != target.modifier && target.modifier >= 0),
        !target.castTruncates || source.oid != target.oid,
        // There is no way back.
        target.oid != TypeOID.bool || !TypeOID.numbers.contains(source.oid)
      else { return nil }
      let name = column.plan.name
      let back =
        ZonedCast(zone: pair.plan.timeZone).cast("t.\(name)", from: target, to: source)
        ?? "t.\(name)::\(source.plainName)"
      // Compared as text where the types have no equality; char(n) back to text loses its padding.
      return Question(
        column: column.plan,
        condition: "(\(back))::text <> s.\(column.plan.stagedName)::text\(sameValue(column, back))"
      ) {
        count in
        "column \(name): \(count.rows) whose \(source.fullName.text) is changed by the cast to "
          + "\(target.fullName.text)."
      }
    }
  }

  /// 1.50 and 1.5 are the same number though not the same text.
  private func sameValue(
    _ column: (plan: TablePlan.Column, staging: CatalogColumn, production: CatalogColumn),
    _ back: SQL
  ) -> SQL {
    let comparable = TypeOID.integers.union(TypeOID.floats).union(TypeOID.timestamps)
    guard comparable.union([TypeOID.numeric, TypeOID.date]).contains(column.staging.baseType.oid) else { return "" }
    return " AND (\(back)) <> s.\(column.plan.stagedName)"
  }
}
