import Libpq

/// A table in which DMS keeps what its validation has found.
///
/// DMS makes it on the target, in `public` or in the control schema of the task (`ControlTablesSettings.ControlSchema`):
/// `awsdms_validation_failures_v1`, and from DMS 3.6.1 on `awsdms_validation_failures_v2`, which adds what data resync has
/// done about a failure. The columns' names are in capitals; the oldest form has no `KEY_TYPE` and no `DETAILS`.
///
/// <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Validating.html>, "Troubleshooting".
struct FailureTable {
  let name: QualifiedName
  let version: Int
  /// The columns' names as they are, by those of the documentation.
  private let columns: [String: Identifier]

  static let prefix = "awsdms_validation_failures_v"
  private static let knownVersions = 1...2
  private static let required = ["TASK_NAME", "TABLE_OWNER", "TABLE_NAME", "FAILURE_TIME", "KEY", "FAILURE_TYPE"]
  private static let resync = ["RESYNC_RESULT", "RESYNC_TIME", "RESYNC_ACTION"]

  /// Looks for tables of that kind.
  ///
  /// - Parameter wanted: the only one that counts, with or without its schema; nil for all.
  /// - Throws: ``MergeFailure/blocked(_:)`` when there is none, or one that can't be read or is of an unknown form.
  static func find(_ wanted: String?, _ connection: Connection) throws -> [FailureTable] {
    let rows = try connection.query(
      """
      SELECT n.nspname::text, c.relname::text,
             has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
             (SELECT array_to_string(array_agg(a.attname::text ORDER BY a.attnum), '/')
              FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v') AND starts_with(lower(c.relname::text), \(Literal(prefix)))
      ORDER BY 1, 2
      """,
      "looking for DMS's table of validation failures"
    )
    var tables: [FailureTable] = []
    var findings: [Finding] = []
    for row in 0..<rows.count {
      let name = QualifiedName(schema: rows.text(row, 0) ?? "", name: rows.text(row, 1) ?? "")
      guard wanted.map({ isMeant(name, by: $0) }) ?? true else { continue }
      let columns = (rows.text(row, 3) ?? "").split(separator: "/").map(String.init)
      if rows.bool(row, 2) != true {
        findings.append(
          .blocker(nil, "the role may not read \(name). Have its owner run: GRANT SELECT ON \(name.quoted) TO …")
        )
      } else {
        do throws(UnknownForm) {
          tables.append(try FailureTable(name, columns))
        } catch {
          findings.append(.blocker(nil, error.reason))
        }
      }
    }
    guard findings.isEmpty else { throw MergeFailure.blocked(findings) }
    guard !tables.isEmpty else {
      throw MergeFailure.blocked([
        .blocker(
          nil,
          wanted.map { "there is no table \($0) of DMS's validation failures." }
            ?? "there is no table \(prefix)1 or \(prefix)2 in this database: DMS's validation has never found anything here, or "
            + "was never switched on (EnableValidation). merge-engine reload --validate switches it on for a window."
        )
      ])
    }
    return tables
  }

  private static func isMeant(_ name: QualifiedName, by wanted: String) -> Bool {
    [name.name.name, "\(name.schema.name).\(name.name.name)"].contains { $0.lowercased() == wanted.lowercased() }
  }

  private struct UnknownForm: Error {
    let reason: String
  }

  private init(_ name: QualifiedName, _ found: [String]) throws(UnknownForm) {
    let number = Int(name.name.name.dropFirst(Self.prefix.count))
    guard let number, Self.knownVersions.contains(number) else {
      throw UnknownForm(
        reason:
          "\(name) is a version of DMS's table of validation failures that this merge-engine does not know; it knows "
          + "\(Self.prefix)1 and \(Self.prefix)2. Name one of those: --failure-table."
      )
    }
    let needed = Self.required + (number == 2 ? Self.resync : [])
    let byName = Dictionary(found.map { ($0.uppercased(), Identifier($0)) }) { first, _ in first }
    let missing = needed.filter { byName[$0] == nil }
    guard missing.isEmpty else {
      throw UnknownForm(
        reason:
          "\(name) is not as DMS makes it: it has no column \(missing.joined(separator: ", ")), so it is of a version that this "
          + "merge-engine does not know. Name another one: --failure-table."
      )
    }
    self.name = name
    version = number
    columns = byName
  }

  /// Everything in it, in one form: task, owner, table, time, key, type, details, and whether data resync has mended it.
  var rows: SQL {
    func text(_ column: String) -> SQL { columns[column].map { "f.\($0)::text" as SQL } ?? "NULL::text" }
    return """
      SELECT \(text("TASK_NAME")) AS task, \(text("TABLE_OWNER")) AS owner, \(text("TABLE_NAME")) AS name,
             \(text("FAILURE_TIME")) AS failed, \(text("KEY")) AS key, \(text("FAILURE_TYPE")) AS type,
             \(text("DETAILS")) AS details, \(text("RESYNC_RESULT")) AS resynced
      FROM \(name) AS f
      """
  }
}
