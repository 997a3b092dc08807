import Libpq

/// Which rows of a table a merge would see refused, as far as that can be told without writing them.
///
/// The merge's own ``Questions`` are asked about the rows that would be written. Whom another row of the same run may help
/// is only noted, since that row's own fate may not be known yet; ``Remedies`` decides when it is.
struct Foresight {
  private let plan: TablePlan
  private let production: Connection
  private var questions: Questions
  private let number: Int
  /// Made when it is asked for the first time.
  private var sharedValues: SharedValues?
  /// nil where staging is elsewhere.
  private let addressed: AddressedQuestions?
  /// Rows that raised an error when the server was asked about them.
  private var errorCount = 0

  /// So many rows may raise errors, each of which is told apart by halving, before that is given up. Arbitrary: some
  /// seconds.
  private static let errorLimit = 100

  /// What stands against a row.
  enum Refusal {
    /// Nothing can take it back.
    case final(String)
    /// Another row of the batch gets the unique value that it wants.
    case contested(String)
    /// Other rows of the run may take it back: all objections, as positions in ``Foresight/objections``.
    case hopeful([Int])
  }

  init(_ plan: TablePlan, number: Int, isSplit: Bool, on production: Connection) throws(PostgresError) {
    self.plan = plan
    self.production = production
    self.number = number
    questions = try Questions(
      plan,
      Objections(plan, production).all(),
      production,
      statementName: "ask_\(number)"
    )
    addressed = isSplit ? nil : AddressedQuestions(plan, questions.objections, production)
  }

  /// All that production may object to.
  var objections: [Objection] { questions.objections }

  /// Gives the rows of a classified batch that would be refused the verdict `error`.
  ///
  /// Older rows of their keys get their chance in ``BatchReplay``.
  mutating func look(_ batch: inout StagedBatch, _ classifier: Classifier, _ outcome: inout DryRunOutcome) throws {
    let refusals = try refusals(inserts: classifier.inserts, updates: classifier.updates, of: batch, &outcome)
    for (row, refusal) in refusals.sorted(by: { $0.key < $1.key }) {
      let staged = batch.rows[Int(row)]
      switch refusal {
      case .final(let words):
        outcome.refuse(staged.address, words)
        batch.setVerdict(.error, row: row)
      case .contested(let words):
        outcome.refuse(contested: staged.address, words)
        batch.setVerdict(.error, row: row)
      case .hopeful(let objections):
        outcome.hopeful.append(.init(address: staged.address, verdict: staged.verdict, objections: objections))
      }
    }
    try lookAtOlderRows(of: refusals, batch, classifier, &outcome)
  }

  /// Notes which unique values older rows share with others of the batch, in whose way a row stands that may be refused.
  private mutating func lookAtOlderRows(
    of refusals: [UInt32: Refusal],
    _ batch: StagedBatch,
    _ classifier: Classifier,
    _ outcome: inout DryRunOutcome
  ) throws {
    guard objections.contains(where: { $0.sharedKey != nil }) else { return }
    let older = batch.rows.indices.map { UInt32($0) }.filter { row in
      guard batch.rows[Int(row)].verdict == .duplicate else { return false }
      var newest = batch.rows[Int(row)].newerRow
      while batch.rows[Int(newest)].verdict == .duplicate { newest = batch.rows[Int(newest)].newerRow }
      return refusals[newest] != nil || batch.rows[Int(newest)].verdict == .error
    }
    guard !older.isEmpty else { return }
    func isWritten(_ row: UInt32) -> Bool { batch.rows[Int(row)].verdict != .error }
    do {
      sharedValues =
        try sharedValues ?? SharedValues(plan, objections, production, statementName: "ask_shared_\(number)")
      let values = try sharedValues?.find(
        inserts: classifier.inserts.filter(isWritten),
        updates: classifier.updates.filter(isWritten),
        older: older,
        of: batch,
        on: production
      )
      outcome.inherit(values ?? [:])
    } catch let error as PostgresError where error.refusesRow {
      outcome.note(
        "older rows of the keys of refused rows could not be compared with the rows that want the same unique values (\(error.reason)): a "
          + "merge may refuse some that are not counted here."
      )
    }
  }

  /// Who looks bad, and why; for a value that several rows share only if they are one batch.
  private mutating func suspects(
    inserts: [UInt32],
    updates: [UInt32],
    of batch: StagedBatch,
    areOneBatch: Bool
  ) throws -> [Questions.Suspect] {
    let apart = try addressed?.suspects(inserts: inserts, updates: updates, of: batch) ?? []
    let suspects = try questions.suspects(inserts: inserts, updates: updates, of: batch, on: production)
    let (own, shared) = (
      suspects.filter { objections[$0.objection].sharedKey == nil } + apart,
      suspects.filter { objections[$0.objection].sharedKey != nil }
    )
    guard areOneBatch, !shared.isEmpty else { return own }
    // Whoever is refused for a reason of its own takes no value from others.
    let refused = Set(own.filter { objections[$0.objection].remedy == nil }.map(\.row))
    guard !refused.isEmpty else { return own + shared }
    return try own
      + questions.suspects(
        inserts: inserts.filter { !refused.contains($0) },
        updates: updates.filter { !refused.contains($0) },
        of: batch,
        on: production
      )
      .filter { objections[$0.objection].sharedKey != nil }
  }

  /// What stands against rows, by their positions in ``StagedBatch/rows``.
  ///
  /// - Parameter areOneBatch: the rows are written together, so that what they share counts.
  mutating func refusals(
    inserts: [UInt32],
    updates: [UInt32],
    of batch: StagedBatch,
    areOneBatch: Bool = true,
    _ outcome: inout DryRunOutcome
  ) throws -> [UInt32: Refusal] {
    do {
      let suspects = try suspects(inserts: inserts, updates: updates, of: batch, areOneBatch: areOneBatch)
      return Dictionary(grouping: suspects, by: \.row).mapValues { suspects in
        let objections = suspects.map(\.objection)
        let final = objections.filter { self.objections[$0].remedy == nil }
        if let own = final.first(where: { self.objections[$0].sharedKey == nil }) {
          return .final(self.objections[own].words)
        }
        return final.first.map { .contested(self.objections[$0].words) } ?? .hopeful(objections)
      }
    } catch let error as PostgresError where error.refusesRow {
      guard errorCount < Self.errorLimit else {
        outcome.note(
          "many rows raise errors when they are tested against production's checks (\(error.reason)): how many rows would "
            + "be refused is not known."
        )
        return [:]
      }
      guard inserts.count + updates.count > 1 else {
        errorCount += 1
        let words = "raising an error in a check of \(plan.production) (\(error.reason))"
        return Dictionary(uniqueKeysWithValues: (inserts + updates).map { ($0, .final(words)) })
      }
      // Either kind by itself, and then by halves.
      let areMixed = !inserts.isEmpty && !updates.isEmpty
      let (inserted, updated) = areMixed ? (inserts.count, 0) : (inserts.count / 2, updates.count / 2)
      let lower = try refusals(
        inserts: Array(inserts[..<inserted]),
        updates: Array(updates[..<updated]),
        of: batch,
        areOneBatch: areOneBatch,
        &outcome
      )
      let upper = try refusals(
        inserts: Array(inserts[inserted...]),
        updates: Array(updates[updated...]),
        of: batch,
        areOneBatch: areOneBatch,
        &outcome
      )
      return lower.merging(upper) { first, _ in first }
    }
  }
}
