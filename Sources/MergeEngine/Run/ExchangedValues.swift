import Libpq

/// Refused rows that hand unique values around in a circle: each waits for a value that another of them still has.
///
/// A constraint that is checked row by row lets none of them be the first, and none may be deleted or hold another value for a
/// moment, which triggers and replicas would see; one that is checked later needs them all in one batch. So they stay refused, and
/// whoever asks is told what would help.
struct ExchangedValues {
  let table: TablePlan
  let production: Connection
  /// Where the rows lie that were refused.
  let refusals: [RefusalStanding.Refusal]
  /// The most rows of a batch.
  let batchRows: Int

  /// A circle is looked for among so many rows of a table. Arbitrary.
  private static let rowLimit = 10_000

  /// - Precondition: staging is in the same database.
  func finding() throws -> String? {
    let waiting = refusals.filter { $0.sqlState == .uniqueViolation || $0.sqlState == .exclusionViolation }
      .map(\.address).prefix(Self.rowLimit)
    guard waiting.count > 1 else { return try findingOfReferences() }
    let holders = ValueHolders(table: table, production: production)
    for rule in try holders.rules() {
      guard let waits = try holders.waits(of: Array(waiting), rule) else { continue }
      guard !rule.isDeferrable else {
        guard let largest = waits.knots.map(\.count).max(), largest > batchRows else { continue }
        return
          "\(largest.rows) of \(table.staging) exchange values of \(rule.name) among themselves, and can only be written at once: "
          + Self.advice(batchOf: largest)
      }
      let count = waits.circles.count
      guard count > 0 else { continue }
      return
        "\(count.rows) of \(table.staging) exchange values of \(rule.name) among themselves. The server checks them one by one, so "
        + "none can go first, and they stay refused. A constraint that is checked at the end of a statement accepts them: "
        + "\(advice(rule)); then merge-engine errors retry, and merge again."
    }
    return try findingOfReferences()
  }

  /// New rows of one table that refer to each other, and are more than a batch holds.
  private func findingOfReferences() throws -> String? {
    let orphans = refusals.filter { $0.sqlState == .foreignKeyViolation }.map(\.address).prefix(Self.rowLimit)
    guard orphans.count > batchRows else { return nil }
    let chances = ChanceBatches(table: table, production: production, rowLimit: batchRows)
    guard let largest = try chances.referring(orphans.sorted()).knots.map(\.count).max(), largest > batchRows else {
      return nil
    }
    return
      "\(largest.rows) of \(table.staging) refer to each other, and can only be written at once: \(Self.advice(batchOf: largest))"
  }

  private static func advice(batchOf rowCount: Int) -> String {
    "merge-engine errors retry, and merge again with --batch \(rowCount) or more."
  }

  /// An index can't be deferrable, but a constraint that does the same can, whatever expressions the index is over.
  private func advice(_ rule: ValueHolders.Rule) -> SQL {
    let change: SQL = "ALTER TABLE \(table.production)"
    if let definition = rule.definition {
      return "\(change) DROP CONSTRAINT \(rule.name), ADD CONSTRAINT \(rule.name) \(definition) DEFERRABLE"
    }
    let values = rule.values.map { "(\($0.expression)) WITH \($0.operation)" as SQL }.joined(", ")
    let condition: SQL = rule.predicate.map { " WHERE (\($0))" } ?? ""
    return """
      DROP INDEX \(QualifiedName(schema: table.production.schema.name, name: rule.name.name)); \(change) \
      ADD CONSTRAINT \(rule.name) EXCLUDE USING btree (\(values))\(condition) DEFERRABLE
      """
  }
}
