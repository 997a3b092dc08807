import Libpq

/// Has the server plan the statements that a merge writes with, and begin none of them.
///
/// EXPLAIN goes as far as the start of the executor: what the server would refuse whatever the rows are shows there, by its
/// own rules, in a read-only session and at a standby too. A missing replica identity, rights on columns, functions and
/// partitions, too many columns, and what nobody has thought of yet.
struct WriteRehearsal {
  let table: TablePlan
  let production: Connection
  let staging: Connection

  /// - Returns: a blocker for the first statement that the server refuses.
  func findings() throws -> [Finding] {
    var steps = [Step(ApplySQL.insertRehearsed(table), of: table.production, "inserting into", production)]
    if !table.updatedColumns.isEmpty {
      steps.append(Step(ApplySQL.updateRehearsed(table), of: table.production, "updating", production))
    }
    if table.writing.marksRows {
      let status = TablePlanner.statusColumn
      let marking: SQL = "UPDATE \(table.staging) AS s SET \(status) = 'PROCESSED' WHERE s.ctid = '(0,1)'"
      steps.append(Step(marking, of: table.staging, "marking rows of", staging))
    }
    return try Self.obstacle(steps).map { [.blocker(.refusedStatement, table.name, $0)] } ?? []
  }

  /// Why the server would refuse one of the statements, the first of them; nil when it would refuse none.
  ///
  /// All are asked for in one go. Only where the server has something against one they are asked for one by one.
  static func obstacle(_ steps: [Step]) throws(PostgresError) -> String? {
    if steps.allSatisfy({ $0.connection === steps.first?.connection }), try areAllowed(steps) { return nil }
    for step in steps {
      if let obstacle = try step.obstacle() { return obstacle }
    }
    return nil
  }

  /// - Precondition: all are of one connection.
  private static func areAllowed(_ steps: [Step]) throws(PostgresError) -> Bool {
    guard let connection = steps.first?.connection else { return true }
    let operation = "planning the statements that write"
    let statements = ["BEGIN; \(Step.lockPatience)" as SQL] + steps.map { "EXPLAIN \($0.statement)" } + ["ROLLBACK"]
    do {
      try connection.execute(statements.joined("; "), operation)
      return true
    } catch {
      guard !connection.isBroken else { throw error }
      try connection.execute("ROLLBACK", operation)
      return false
    }
  }

  /// A statement, and what it is for.
  struct Step {
    let statement: SQL
    let relation: QualifiedName
    let purpose: String
    let connection: Connection

    init(_ statement: SQL, of relation: QualifiedName, _ purpose: String, _ connection: Connection) {
      self.statement = statement
      self.relation = relation
      self.purpose = purpose
      self.connection = connection
    }

    /// No lock on the table is waited for: somebody who holds one, as to build an index, holds up the merge itself, which
    /// has more patience, and then nothing is known beforehand.
    fileprivate static let lockPatience: SQL = "SET LOCAL lock_timeout = '1ms'"

    /// Why the server would refuse the statement, and what to do; nil when it would not.
    func obstacle() throws(PostgresError) -> String? {
      let operation = "planning the statement for \(purpose) \(relation)"
      do {
        try connection.execute("BEGIN; \(Self.lockPatience)", operation)
        _ = try connection.query("EXPLAIN \(statement)", operation)
        try connection.execute("ROLLBACK", operation)
        return nil
      } catch {
        guard !connection.isBroken else { throw error }
        try connection.execute("ROLLBACK", operation)
        if error.sqlState == .lockNotAvailable { return nil }
        guard error.refusesStatement else { throw error }
        let reason = "\(purpose) \(relation) would be refused: \(error.message)"
        let state = error.sqlState.map { " (SQLSTATE \($0))" } ?? ""
        let remedy =
          try ReplicaIdentity(relation: relation, connection: connection).remedy(for: error) ?? error.hint ?? ""
        return "\(reason)\(state). \(remedy)"
      }
    }
  }
}
