import BinaryCopy
import Libpq

/// Puts right what a dry run can't see batch by batch: keys that stand in several batches.
///
/// In the merge the first batch inserts such a key, and a later one finds it there; a dry run finds it missing both
/// times. So the server is asked for the rows of all keys that occur more than once (not at all where a unique index
/// rules that out), in key order, and for each of these keys both are computed: what the batches said one by one, and
/// what they would have said one after the other. The difference goes into the counts.
///
/// Memory: the rows of one piece, and at least those of one key.
struct DuplicateKeys {
  let plan: TablePlan
  let updatesTies: Bool
  /// Parents, and theirs, of which rows that were refused earlier are tried when all others are written.
  let lateParents: [QualifiedName]
  /// A connection whose planner is free to choose; the stream of rows runs on it.
  let staging: Connection

  /// Rows to a piece. Arbitrary: a batch's default.
  private static let pieceRowCount = 50_000

  /// Corrects the counts of a table that was read to its end.
  ///
  /// - Parameters:
  ///   - waitsForParents: rows without parent are tried again at the end; see ``BatchReplay``, as `helpless` and `isInCircle`.
  func correct(
    _ outcome: inout DryRunOutcome,
    _ foresight: inout Foresight,
    waitsForParents: Bool,
    isInCircle: Bool,
    helpless: ([DryRunOutcome.HopefulRow]) throws -> [UInt64: Int],
    _ connections: WorkerConnections,
    number: Int
  ) throws {
    guard outcome.counts.read > 1, try !keysAreUnique() else { return }
    do {
      var replay = try BatchReplay(
        plan,
        outcome.ranges,
        updatesTies: updatesTies,
        waitsForParents: waitsForParents,
        isInCircle: isInCircle,
        on: connections,
        number: number
      )
      try run(&replay, &outcome, &foresight, helpless)
    } catch {
      guard let refusal = error as? PostgresError, refusal.sqlState?.refusesRow == true else { throw error }
      outcome.note(
        "keys that appear in several batches could not be searched for, since some rows can't be read (\(refusal.message)): "
          + "if there are any, the merge will count fewer inserts."
      )
    }
  }

  private func run(
    _ replay: inout BatchReplay,
    _ outcome: inout DryRunOutcome,
    _ foresight: inout Foresight,
    _ helpless: ([DryRunOutcome.HopefulRow]) throws -> [UInt64: Int]
  ) throws {
    var piece = KeyedRows()
    try staging.copyOut(rowsOfDuplicateKeys(but: outcome.unreadable), "reading duplicate keys of \(plan.staging)") {
      message in
      let isNewKey = try piece.append(message)
      guard isNewKey, piece.groups.count > Self.pieceRowCount || piece.byteCount > BatchLimit.byteCount else { return }
      let last = try piece.takeLastRow()
      try replay.run(&piece, &foresight, helpless: helpless, &outcome)
      piece = last
    }
    try replay.run(&piece, &foresight, helpless: helpless, &outcome)
    if replay.unsettledCount > 0 {
      outcome.note(
        "how a merge counts \(replay.unsettledCount.rows) of \(plan.staging) depends on what it writes first: they need other rows of the "
          + "table, and their keys come again. Some may count as stale, unchanged, duplicate or updated there."
      )
    }
    if replay.triedAgainCount > 0 {
      outcome.note(
        "\(replay.triedAgainCount.rows) of \(plan.staging) \(replay.triedAgainCount == 1 ? "was" : "were") refused earlier, and a merge tries "
          + "such rows when it has written all others: those whose keys come again may count as stale there."
      )
    }
    if replay.hasKeysOfSeveralRows, !lateParents.isEmpty {
      outcome.note(
        "rows of \(lateParents.map { "\($0)" }.joined(separator: ", ")) that were refused earlier are tried when all others are written: a row of "
          + "\(plan.staging) that needs one of them comes after the older rows of its key then, which count as inserted or updated and not as "
          + "duplicate or stale."
      )
    }
    if replay.outrunCount > 0 {
      outcome.note(
        "the unique values of \(replay.outrunCount.rows) of \(plan.staging) go to rows of other keys here, all of them older than refused rows "
          + "of their keys: a merge may try them in another order, and write others of them."
      )
    }
    if replay.repeatsKeys, !outcome.contested.isEmpty {
      outcome.note(
        "of \(outcome.contested.count.rows) of \(plan.staging) whose unique values other rows of their batches get, a merge writes those "
          + "after all whose value comes free again by a later row of such a key."
      )
    }
  }

  /// Whether an index of staging rules out that a key comes twice, by the same equality as production's.
  private func keysAreUnique() throws(PostgresError) -> Bool {
    guard plan.keyEqualityIsBytewise else { return false }
    let result = try staging.query(
      """
      SELECT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indrelid = \(Literal(plan.staging.quoted))::regclass
          AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
          AND NOT EXISTS (
            SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            LEFT JOIN unnest($1::text[], $2::oid[]) AS c (name, type) ON c.name = a.attname AND c.type = a.atttypid
            WHERE k.position <= i.indnkeyatts AND c.name IS NULL))
      """,
      [.textArray(plan.keyColumns.map(\.stagedName.name)), .oidArray(plan.keyColumns.map(\.baseType.oid))],
      "looking for a unique key on \(plan.staging)"
    )
    return result.bool(0, 0) ?? false
  }

  /// A number for the key, and the row as the claim reads it; by key, then as the batches come.
  private func rowsOfDuplicateKeys(but unreadable: [UInt64]) -> SQL {
    // Another database need not have production's collation.
    let values = plan.keyColumns.map { column in
      plan.reading.isSplit ? column.readExpression : column.baseType.collated(column.readExpression)
    }
    let keys = values.joined(", ")
    let names = plan.keyColumns.indices.map { "k\($0)" as SQL }.joined(", ")
    let isSame = plan.keyColumns.enumerated().map { index, column in
      "d.k\(index) \(column.travel == .text ? "=" : column.equality) \(values[index])" as SQL
    }.joined(" AND ")
    let isReadable: SQL = unreadable.isEmpty ? "" : " AND s.ctid <> ALL (\(TupleAddress.list(unreadable)))"
    let condition = ClaimSQL.rowCondition(plan) + isReadable
    return """
      COPY (
        SELECT dense_rank() OVER (ORDER BY \(keys)), \(ClaimSQL.outputs(plan))
        FROM \(plan.staging) AS s
        WHERE EXISTS (SELECT FROM (SELECT \(keys) FROM \(plan.staging) AS s WHERE true\(condition)
                                   GROUP BY \(keys) HAVING count(*) > 1) AS d (\(names))
                      WHERE \(isSame))\(condition)
        ORDER BY 1, s.ctid
      ) TO STDOUT (FORMAT binary)
      """
  }
}

/// Rows of a COPY whose first field numbers the key, taken apart into numbers and rows as the claim reads them.
struct KeyedRows {
  /// For each row the number of its key.
  private(set) var groups: [Int64] = []
  /// The rows in binary COPY form, without a trailer.
  private var writer = CopyWriter()
  private var rowStarts: [Int] = []
  /// Where the rows end, if not at the writer's end.
  private var end: Int?

  init() {
    writer.writeHeader()
  }

  var byteCount: Int { writer.bytes.count }

  /// Takes a message of the COPY: a row, or the trailer.
  ///
  /// - Returns: whether the row begins another key than the one before.
  mutating func append(_ message: RawSpan) throws(BinaryCopyError) -> Bool {
    var cursor = CopyCursor()
    guard let fieldCount = try cursor.beginMessage(message) else { return false }
    let numberField = try cursor.readField(in: message)
    let number: Int64 = try message.bigEndian(at: numberField.offset)
    let isNewKey = groups.last != number
    groups.append(number)
    rowStarts.append(writer.bytes.count)
    writer.writeRow(fieldCount: fieldCount - 1, fields: cursor.offset..<message.byteCount, of: message)
    return isNewKey
  }

  /// Takes the last row out, into rows of its own.
  mutating func takeLastRow() throws(BinaryCopyError) -> KeyedRows {
    var last = KeyedRows()
    guard let group = groups.popLast(), let start = rowStarts.popLast() else { return last }
    var cursor = CopyCursor(offset: start)
    let fieldCount = try cursor.beginRow(in: writer.bytes.rawSpan) ?? 0
    last.groups.append(group)
    last.rowStarts.append(last.writer.bytes.count)
    last.writer.writeRow(
      fieldCount: fieldCount,
      fields: cursor.offset..<writer.bytes.count,
      of: writer.bytes.rawSpan
    )
    end = start
    return last
  }

  /// The rows as a batch's bytes.
  func fill(_ batch: inout StagedBatch) {
    batch.removeAll()
    batch.bytes.append(0..<(end ?? writer.bytes.count), of: writer.bytes.rawSpan)
    batch.bytes.append(bigEndian: Int16(-1))
  }
}
