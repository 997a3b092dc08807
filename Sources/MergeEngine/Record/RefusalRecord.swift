import Foundation
import Libpq

/// Writes refused staging rows into `merge_errors`, in the batch's own transaction.
struct RefusalRecord {
  /// Refused rows are none any more, since somebody has changed or deleted them after they were read: the batch is to be carried
  /// without them. What has taken their place comes with the next round.
  struct RowsGone: Error, CustomStringConvertible {
    let addresses: Set<UInt64>

    var description: String {
      "rows that the server refuses are changed or deleted in staging again and again while they are written, as a trigger "
        + "might do"
    }
  }

  let plan: TablePlan
  let runID: Int
  let admin: Identifier
  let connections: WorkerConnections

  /// Records the staging rows at these addresses, each with the server's reason.
  ///
  /// Key and row are written as JSON by the server that holds staging, so that every type appears in its own text, and in the
  /// same whatever the session's settings: a row is found again by its key when its address is no more. A
  /// row that does not fit into jsonb (json with \u0000, more than 256 MB) is recorded as one string, one with letters that
  /// production's encoding lacks with these written as `\u65E5`, and failing that without its data.
  ///
  /// - Throws: ``RowsGone``; ``PostgresError``.
  func write(_ refusals: [(address: UInt64, error: PostgresError)]) throws {
    guard !refusals.isEmpty else { return }
    do {
      try attempt(refusals, form: .object)
    } catch let failure as PostgresError where failure.refusesRow {
      guard refusals.count == 1 else { return try refusals.forEach { try write([$0]) } }
      for form in [RefusalSQL.RowForm.string, .spelled, .keyOnly] {
        do {
          return try attempt(refusals, form: form)
        } catch let failure as PostgresError where failure.refusesRow {
          continue
        }
      }
      try insert(refusals, form: .nothing)
    }
  }

  /// Records a row of a snapshot's file that the server could not even take over, so that nothing of it can be shown.
  ///
  /// - Parameter number: its number in the file.
  func write(fileRow number: Int, _ error: PostgresError) throws(PostgresError) {
    _ = try connections.production.query(
      RefusalSQL.insert(admin),
      [
        .bigint(runID), .text(plan.plainName), .text(plan.reading.snapshot?.snapshotID), .text(nil), .bigint(nil),
        .text(nil),
        .text(plan.production.schema.name), .textArray([nil]), .textArray([error.sqlState?.code]),
        .textArray([error.message]), .textArray([error.detail]), .textArray([nil]), .textArray(["\(number)"]),
        .textArray([nil]), .textArray([nil]), .bigint(Int(plan.productionOid)),
      ],
      "recording a refused row of \(plan.staging)"
    )
  }

  private func attempt(_ refusals: [(address: UInt64, error: PostgresError)], form: RefusalSQL.RowForm) throws {
    try Savepoint.attempt(on: connections.staging) {
      guard connections.staging !== connections.production else { return try insert(refusals, form: form) }
      try Savepoint.attempt(on: connections.production) { try insert(refusals, form: form) }
    }
  }

  private func insert(
    _ refusals: [(address: UInt64, error: PostgresError)],
    form: RefusalSQL.RowForm
  ) throws {
    let staging = connections.staging
    let rows = try LocalSettings.reading(under: LocalSettings.exactText, on: staging) { () throws(PostgresError) in
      try staging.query(
        RefusalSQL.read(plan, refusals.map(\.address), form: form),
        "reading refused rows of \(plan.staging)"
      )
    }
    let isSnapshot = plan.reading.snapshot != nil
    var found: [UInt64: Int] = [:]
    for row in 0..<rows.count { found[TupleAddress(text: rows.text(row, 0) ?? "")?.packed ?? 0] = row }
    // A record of one that is gone would say nothing of it, and could never be told from one that stands.
    let gone = Set(refusals.map(\.address)).subtracting(found.keys)
    guard gone.isEmpty || isSnapshot else { throw RowsGone(addresses: gone) }
    func texts(_ column: Int) -> [String?] { refusals.map { found[$0.address].flatMap { rows.text($0, column) } } }
    func json(_ column: Int) -> [String?] {
      form == .spelled ? texts(column).map { $0.map(Self.spelled) } : texts(column)
    }
    _ = try connections.production.query(
      RefusalSQL.insert(admin),
      [
        .bigint(runID), .text(plan.plainName), .text(plan.reading.snapshot?.snapshotID),
        .text(isSnapshot ? nil : plan.reading.state.source?.identity),
        .bigint(isSnapshot ? nil : plan.reading.state.source?.fileNode),
        .text(isSnapshot ? nil : plan.staging.schema.name), .text(plan.production.schema.name),
        .textArray(json(1)), .textArray(refusals.map(\.error.sqlState?.code)),
        .textArray(refusals.map(\.error.message)),
        .textArray(refusals.map(\.error.detail)), .textArray(json(2)), .textArray(texts(3)),
        .textArray(refusals.map { TupleAddress($0.address).description }),
        .textArray(isSnapshot ? refusals.map { _ in nil } : texts(4)), .bigint(Int(plan.productionOid)),
      ],
      "recording refused rows of \(plan.staging)"
    )
  }

  /// A JSON text in ASCII: strings in it have, for each other letter, a backslash, `u` and its UTF-16 units.
  private static func spelled(_ json: String) -> String {
    var text = ""
    for scalar in json.unicodeScalars {
      if scalar.isASCII {
        text.unicodeScalars.append(scalar)
      } else {
        for unit in String(scalar).utf16 { text += "\\\\u" + String(format: "%04X", Int(unit)) }
      }
    }
    return text
  }
}

/// The statements behind ``RefusalRecord``.
enum RefusalSQL {
  /// What a refused row is recorded as.
  enum RowForm {
    case object, string, spelled, keyOnly, nothing
  }

  /// What a row `s` of staging holds, without what the engine notes there.
  static let contents: SQL =
    "to_jsonb(s) - \(Literal(TablePlanner.statusColumn.name)) - \(Literal(SnapshotTablePlan.rowColumn.name))"

  /// Of each row its address, its key and all of it, as JSON, its number in the snapshot's file it came from, if it did, and
  /// its transaction; all as text.
  static func read(_ plan: TablePlan, _ addresses: [UInt64], form: RowForm) -> SQL {
    let row: SQL =
      switch form {
      case .object, .spelled: "(\(contents))::text"
      case .string: "to_jsonb(s::text)::text"
      case .keyOnly, .nothing: "NULL::text"
      }
    let keyValues = plan.keyColumns.map { "\(Literal($0.name.name)), s.\($0.stagedName)" as SQL }.joined(", ")
    let key: SQL = form == .nothing ? "NULL::text" : "jsonb_build_object(\(keyValues))::text"
    let number: SQL = plan.reading.snapshot == nil ? "NULL::text" : "s.\(SnapshotTablePlan.rowColumn)::text"
    let isSame: SQL =
      plan.reading.snapshot == nil ? plan.reading.state.horizon.map { " AND \($0.hasSeen())" } ?? "" : ""
    return """
      SELECT s.ctid::text, \(key), \(row), \(number), s.xmin::text
      FROM \(plan.batchSource) AS s WHERE \(SQL.rows(at: addresses))\(isSame)
      """
  }

  /// Parameters: the run, the table, the snapshot, staging's source and file node, both schemas; then an array each of what
  /// differs from row to row; production's oid.
  static func insert(_ admin: Identifier) -> SQL {
    """
    INSERT INTO \(admin).merge_errors
      (run_id, table_name, snapshot_id, staging_source, staging_file_node, staging_schema, production_schema,
       row_key, sqlstate, message, detail, row_data, snapshot_row, staging_address, staging_xmin, production_oid, failed_at)
    SELECT $1, $2, $3, $4, $5, $6, $7,
           r.row_key::jsonb, r.sqlstate, r.message, r.detail, r.row_data::jsonb, r.number::bigint, r.address::tid,
           r.transaction::bigint, $16, clock_timestamp() AT TIME ZONE 'UTC'
    FROM unnest($8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
      AS r (row_key, sqlstate, message, detail, row_data, number, address, transaction)
    """
  }
}
