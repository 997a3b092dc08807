import Libpq

/// Refused rows that need each other, as those that hand unique values around in a circle: each waits for a value that another
/// of them still has.
///
/// A constraint that is checked row by row lets none of them be the first, and none may be deleted or hold another value for a
/// moment, which triggers and replicas would see; one that is checked later needs them all in one batch. So they stay refused, and
/// whoever asks is told what would help.
struct KnotFinding {
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
    let states: [SQLState] = [.uniqueViolation, .exclusionViolation, .foreignKeyViolation]
    let waiting = refusals.filter { refusal in refusal.sqlState.map(states.contains) == true }.map(\.address)
      .prefix(Self.rowLimit)
    guard waiting.count > 1 else { return nil }
    let knots = try RowNeeds(of: Array(waiting), table, production).knots
    if let rule = knots.first(where: \.isStuck)?.rule {
      let ofRule = knots.filter { $0.isStuck && $0.rule?.name == rule.name }
      let count = ofRule.reduce(0) { $0 + $1.rows.count }
      return
        "\(count.rows) of \(table.staging) \(Self.need(ofRule, rule)). The server checks them one by one, so none can go first, and they "
        + "stay refused. A constraint that is checked at the end of a statement accepts them: \(advice(rule)); then merge-engine "
        + "errors retry, and merge again."
    }
    guard let largest = knots.max(by: { $0.rows.count < $1.rows.count }), largest.rows.count > batchRows else {
      return nil
    }
    return
      "\(largest.rows.count.rows) of \(table.staging) \(Self.need([largest], largest.rule)), and can only be written at once: "
      + "merge-engine errors retry, and merge again with --batch \(largest.rows.count) or more."
  }

  /// What rows want of each other, as a predicate.
  private static func need(_ knots: [RowNeeds.Knot], _ rule: ValueHolders.Rule?) -> String {
    guard let rule else { return "refer to each other" }
    return knots.contains(where: \.refers)
      ? "need each other, since some take over values of \(rule.name) from rows that refer to them"
      : "exchange values of \(rule.name) among themselves"
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
