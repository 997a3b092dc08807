import Libpq

/// Looks at rows of one table again that DMS has found to differ.
struct FailureLook {
  private let table: CatalogTable
  private let name: String
  private let connection: Connection
  private let key: [UniqueIndex.Column]

  init(_ failed: FailedTable, _ connection: Connection) {
    table = failed.table
    name = failed.name
    key = failed.key?.columns ?? []
    self.connection = connection
  }

  /// What production has of a row.
  private enum Found {
    /// Nothing.
    case nothing
    /// The row; the values of the columns in question, as text.
    case row([String: String?])
    /// The server can't read the key.
    case unreadable(String)
  }

  /// A failure whose key is known.
  private struct Known {
    let row: FailureRow
    let key: [String]
    let details: [FailureText.Column]?
  }

  /// How each of them stands to production now.
  func failures(_ rows: [FailureRow]) throws -> [ValidationFailure] {
    var failures = [ValidationFailure?](repeating: nil, count: rows.count)
    var known: [(place: Int, failure: Known)] = []
    for (place, row) in rows.enumerated() {
      guard row.kind != .tableWarning else {
        failures[place] = failure(row, key: nil, .stands, row.details)
        continue
      }
      do throws(FailureText.Unreadable) {
        let key = try keyValues(row)
        known.append((place, Known(row: row, key: key, details: row.details.flatMap(FailureText.details))))
      } catch {
        failures[place] = failure(row, key: nil, .unreadable, error.reason)
      }
    }
    let found = try look(known.map(\.failure)[...])
    for (entry, found) in zip(known, found) { failures[entry.place] = judged(entry.failure, found) }
    return failures.compactMap(\.self)
  }

  private func keyValues(_ row: FailureRow) throws(FailureText.Unreadable) -> [String] {
    guard !key.isEmpty else {
      throw .init(reason: "\(table.name) has no primary key and no other unique key, so the row can't be identified")
    }
    let values = try FailureText.key(row.keyText)
    guard values.count == key.count else {
      let names = key.map(\.name.name).joined(separator: ", ")
      throw .init(reason: "it has \(Numbers.counted(values.count, "value")), and the key of \(table.name) is \(names)")
    }
    return values
  }

  // MARK: - Production

  /// Looks rows up; a key that the server can't read is found by halving.
  private func look(_ failures: ArraySlice<Known>) throws -> [Found] {
    guard !failures.isEmpty else { return [] }
    do {
      return try Savepoint.attempt(on: connection) { try lookAtAll(failures) }
    } catch let error as PostgresError {
      // Class 22: the value is none of the type.
      guard error.origin == .server, error.sqlState?.category == "22" else { throw error }
      guard failures.count > 1 else { return [.unreadable("the server says: \(error.message)")] }
      let middle = failures.startIndex + failures.count / 2
      return try look(failures[..<middle]) + look(failures[middle...])
    }
  }

  private func lookAtAll(_ failures: ArraySlice<Known>) throws -> [Found] {
    let columns = columns(of: failures)
    let arrays = key.indices.map { "$\($0 + 1)::text[]" as SQL }
    let names = key.indices.map { "k\($0)" as SQL }
    let casts = key.indices.map { index -> SQL in
      "k.k\(index)::\(table.column(key[index].name)?.baseType.uncutName ?? "text")"
    }
    let match = key.indices.map { "p.\(key[$0].name) \(key[$0].equality) \(casts[$0])" as SQL }
    let values = columns.map { ", p.\($0.name)::text" as SQL }.joined("")
    // Every key is cast, for its own sake: where production has no row at all, the join would not even look at it.
    let rows = try connection.query(
      """
      SELECT k.ordinal::bigint, p.ctid IS NOT NULL, num_nulls(\(casts.joined(", ")))\(values)
      FROM unnest(\(arrays.joined(", "))) WITH ORDINALITY AS k (\(names.joined(", ")), ordinal)
      LEFT JOIN \(table.name) AS p ON \(match.joined(" AND "))
      """,
      key.indices.map { index in .textArray(failures.map { $0.key[index] }) },
      "looking at rows of \(table.name) that DMS found to differ"
    )
    var found = [Found](repeating: .nothing, count: failures.count)
    for row in 0..<rows.count {
      guard let ordinal = rows.integer(row, 0), found.indices.contains(ordinal - 1), rows.bool(row, 1) == true else {
        continue
      }
      found[ordinal - 1] = .row(
        columns.indices.reduce(into: [:]) { $0[columns[$1].name.name.lowercased()] = rows.text(row, $1 + 3) }
      )
    }
    return found
  }

  /// The columns that DMS speaks of.
  private func columns(of failures: ArraySlice<Known>) -> [CatalogColumn] {
    let names = Set(failures.flatMap { ($0.details ?? []).map { $0.name.lowercased() } })
    return table.columns.filter { names.contains($0.name.name.lowercased()) }
  }

  // MARK: - Standing

  private func judged(_ known: Known, _ found: Found) -> ValidationFailure {
    let (standing, reason) = standing(known, found)
    var key: [String: String]? = [:]
    if standing == .unreadable { key = nil }
    for (column, value) in zip(self.key, known.key) { key?[column.name.name] = value }
    return failure(known.row, key: key, standing, reason, columns: known.details ?? [])
  }

  private func standing(_ known: Known, _ found: Found) -> (ValidationFailure.Standing, String?) {
    switch (known.row.kind, found) {
    case (_, .unreadable(let reason)): (.unreadable, reason)
    case (.missingTarget, .row): (.mended, "production has it now")
    case (.missingSource, .nothing): (.mended, "production no longer has it")
    case (.recordDiff, .nothing): (.changed, "production no longer has it")
    case (.recordDiff, .row(let values)): difference(known, values)
    case (.missingTarget, .nothing), (.missingSource, .row): (.stands, nil)
    case (.failed, _), (.suspended, _), (.tableWarning, _):
      known.row.isResynced ? (.mended, "DMS has resynced it") : (.stands, "DMS does not say what it is")
    }
  }

  private func difference(_ known: Known, _ values: [String: String?]) -> (ValidationFailure.Standing, String?) {
    let columns = (known.details ?? []).compactMap { column in
      values[column.name.lowercased()].map { (column: column, now: $0) }
    }
    guard !columns.isEmpty, columns.count == known.details?.count else {
      return known.row.isResynced
        ? (.mended, "DMS has resynced it") : (.stands, "DMS's values can't be read, so nothing shows that it is mended")
    }
    if columns.allSatisfy({ FailureText.isSame($0.now, $0.column.source) }) {
      return (.mended, "production has Oracle's values now")
    }
    if columns.allSatisfy({ FailureText.isSame($0.now, $0.column.target) }) { return (.stands, nil) }
    return (.changed, "production has been written since")
  }

  private func failure(
    _ row: FailureRow,
    key: [String: String]?,
    _ standing: ValidationFailure.Standing,
    _ reason: String?,
    columns: [FailureText.Column] = []
  ) -> ValidationFailure {
    ValidationFailure(
      table: name,
      kind: row.kind,
      key: key,
      keyText: row.keyText,
      failedAt: row.failedAt,
      task: row.task,
      standing: standing,
      reason: reason,
      columns: columns.map(\.name)
    )
  }
}
