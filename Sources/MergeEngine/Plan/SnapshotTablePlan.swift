import Libpq

/// What a table's plan knows beyond that of a merge from staging, when its rows come from a snapshot's file.
///
/// A worker copies the rows of a batch into a temporary table, as they lie in the file and with their number behind them,
/// and that table is then to all stations what staging is: casts, window, duplicates and quarantine are the same.
struct SnapshotTablePlan: Sendable {
  /// What the ledger knows the file by.
  let source: StagingSource
  let snapshotID: String
  let file: SnapshotFile
  /// The file's columns, with the types of its values as this database has them.
  let columns: [(name: Identifier, type: SQL)]
  /// Tells the temporary tables of one connection apart.
  let number: Int

  /// Not the table's own name: functions with a search_path of their own look into pg_temp first.
  var batchTable: SQL { "pg_temp.\(Identifier("merge_engine_snapshot_\(number)"))" }

  /// Where a row's number in the file stands, from 0.
  static let rowColumn = Identifier("_merge_engine_snapshot_row")

  /// The rows of a batch on the server's side.
  var create: SQL {
    let definitions = columns.map { "\($0.name) \($0.type)" as SQL } + ["\(Self.rowColumn) bigint"]
    return """
      CREATE TEMPORARY TABLE \(Identifier("merge_engine_snapshot_\(number)")) (\(definitions.joined(", ")))
      ON COMMIT DELETE ROWS
      """
  }

  var copyIn: SQL {
    "COPY \(batchTable) (\((columns.map(\.name) + [Self.rowColumn]).joined())) FROM STDIN (FORMAT binary)"
  }

  /// What a merge would have done otherwise when the snapshot was taken: rows matched by another key, or another column
  /// deciding which is newer.
  func differences(_ plan: TablePlan) -> [String] {
    let saved = file.table
    let key = plan.keyColumns.map(\.stagedName.name)
    let version = plan.version.stagedName.name
    var differences: [String] = []
    if !saved.key.isEmpty, Set(saved.key) != Set(key) {
      differences.append(
        "rows are matched by \(key.joined(separator: ", ")), the key of \(plan.production); when the snapshot was taken it "
          + "was \(saved.key.joined(separator: ", "))."
      )
    }
    if let savedVersion = saved.versionColumn, savedVersion != version {
      differences.append(
        "\(version) decides which row is newer; when the snapshot was taken, \(savedVersion) did."
      )
    }
    return differences
  }

  /// How many blocks the rows fill.
  var countBlocks: SQL {
    "SELECT pg_relation_size('\(batchTable)'::regclass) / current_setting('block_size')::bigint"
  }

  /// A stand-in for the temporary table that needs none, to have statements checked before anything is written.
  var example: SQL {
    let values = columns.map { "NULL::\($0.type) AS \($0.name)" as SQL }
    return "(SELECT \((["NULL::tid AS ctid"] + values).joined(", ")))"
  }
}
