import BinaryCopy
import Libpq

/// Looks at suspects again, after a pause, and says exactly what is wrong with those that are.
///
/// Staging rows are read again by address, production is looked up by key, and values that only the server can compare
/// are given to it.
struct SecondLook {
  private let plan: TablePlan
  private let comparison: RowComparison
  private let connections: WorkerConnections
  private let judge: RowJudge
  private let pairs: PairComparison
  /// Only where differences are written to a file.
  private let texts: DifferenceTexts?
  private let writer: DifferenceWriter?
  private var lookUp: RowLookUp
  private var found = ProductionRows()

  /// Rows to a transaction, which the server ends when its client is silent for ``SessionSettings/silentClientSeconds``:
  /// so few that a busy client judges them in a hundredth of that.
  private static let pieceRowCount = 2_000

  init(
    _ plan: TablePlan,
    _ comparison: RowComparison,
    number: Int,
    output: VerifyOutput?,
    on connections: WorkerConnections
  ) throws(PostgresError) {
    self.plan = plan
    self.comparison = comparison
    self.connections = connections
    judge = RowJudge(plan, comparison)
    pairs = PairComparison(plan, connections.production)
    writer = output?.writer
    texts = output.map {
      DifferenceTexts(plan: plan, pair: plan.pair.name, writesValues: $0.writesValues, connections: connections)
    }
    lookUp = try RowLookUp(plan, connections.production, statementName: "second_\(number)")
  }

  /// Counts what has settled, and what differs still.
  mutating func look(
    _ suspects: ArraySlice<SuspectRow>,
    into batch: inout StagedBatch,
    outcome: inout RowCheckOutcome
  ) throws {
    for start in stride(from: suspects.startIndex, to: suspects.endIndex, by: Self.pieceRowCount) {
      try lookAtPiece(
        suspects[start..<min(start + Self.pieceRowCount, suspects.endIndex)],
        into: &batch,
        outcome: &outcome
      )
    }
  }

  private mutating func lookAtPiece(
    _ piece: ArraySlice<SuspectRow>,
    into batch: inout StagedBatch,
    outcome: inout RowCheckOutcome
  ) throws {
    // One snapshot for all that is said of a row.
    try connections.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", "beginning to look again")
    guard try read(piece.map(\.address), into: &batch) || piece.count == 1 else {
      try connections.execute("ROLLBACK", "giving up looking again")
      let middle = piece.startIndex + piece.count / 2
      try lookAtPiece(piece[..<middle], into: &batch, outcome: &outcome)
      try lookAtPiece(piece[middle...], into: &batch, outcome: &outcome)
      return
    }
    outcome.counts.vanished += piece.count - batch.rows.count
    let wasThere = Set(piece.filter(\.wasInProduction).map(\.address))
    var differences: [DifferenceTexts.Row] = []
    let rows = batch.rows.indices.map { UInt32($0) }
    try lookUp.lookUp(rows, of: batch, on: connections.production, &found)
    for (index, row) in batch.rows.enumerated() {
      let standing = try judge.standing(row, in: batch.bytes.rawSpan, found.ranges[index], in: found.bytes.rawSpan)
      guard
        let difference = try difference(
          row,
          standing,
          found.ranges[index] ?? 0..<0,
          of: batch,
          wasThere: wasThere.contains(row.address)
        )
      else {
        if case .productionNewer = standing { outcome.counts.productionNewer += 1 } else { outcome.counts.equal += 1 }
        continue
      }
      outcome.add(
        difference.kind,
        at: row.address,
        columns: difference.kind == .differing ? difference.columns : []
      )
      differences.append(difference)
    }
    let written = try texts?.read(differences) ?? []
    try connections.execute("COMMIT", "ending to look again")
    try writer?.write(written)
  }

  /// What is wrong with a row; nil if nothing is.
  private func difference(
    _ row: StagedRow,
    _ standing: RowStanding,
    _ fields: Range<Int>,
    of batch: StagedBatch,
    wasThere: Bool
  ) throws -> DifferenceTexts.Row? {
    switch standing {
    case .equal, .productionNewer: return nil
    case .missing:
      return DifferenceTexts.Row(kind: wasThere ? .deletedSince : .missing, address: row.address, columns: [])
    case .outdated:
      // Which columns they are is asked for nobody but the file.
      let columns = texts == nil ? [] : try differingColumns(row, fields, of: batch)
      return DifferenceTexts.Row(kind: .outdated, address: row.address, columns: columns)
    case .unequal:
      let columns = try differingColumns(row, fields, of: batch)
      return columns.isEmpty ? nil : DifferenceTexts.Row(kind: .differing, address: row.address, columns: columns)
    }
  }

  /// - Returns: false when the rows are more than a batch may hold.
  private func read(_ addresses: [UInt64], into batch: inout StagedBatch) throws -> Bool {
    batch.removeAll()
    let end = try connections.staging.copyOut(
      """
      COPY (
        SELECT \(ClaimSQL.outputs(plan))
        FROM \(plan.staging) AS s
        WHERE \(SQL.rows(at: addresses))\(ClaimSQL.rowCondition(plan))
      ) TO STDOUT (FORMAT binary)
      """,
      into: &batch.bytes,
      byteLimit: BatchLimit.byteCount,
      "reading rows of \(plan.staging) again"
    )
    guard end == .complete else { return false }
    try batch.index(plan)
    return true
  }

  /// Places in ``TablePlan/columns``.
  private func differingColumns(_ row: StagedRow, _ fields: Range<Int>, of batch: StagedBatch) throws -> [Int] {
    let bytes = batch.bytes.rawSpan
    return try comparison.unequalFields(row.fields, in: bytes, fields, in: found.bytes.rawSpan).compactMap { field in
      if field.likeness == .undecided {
        let pair = PairComparison.Pair(left: field.left, right: field.right)
        if try pairs.areEqual([pair], of: field.column, left: bytes, right: found.bytes.rawSpan)[0] { return nil }
      }
      return field.column.index
    }
  }
}
