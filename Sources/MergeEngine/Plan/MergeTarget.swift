import Libpq
import Spelling

/// What a production table must be to be merged into, whatever its staging table looks like.
///
/// The planner asks it before a merge, and `init` before it makes staging for a table that could never be merged.
struct MergeTarget {
  let table: CatalogTable
  /// The column that is configured to tell newer from older.
  let version: Identifier

  init(_ table: CatalogTable, _ columns: ColumnRules) {
    self.table = table
    version = columns.version(of: table.name.name.name)
  }

  /// What stands against merging into it, with what to do; empty for a table that can be merged into.
  var obstacles: [String] { kindObstacles + keyObstacles + versionObstacles }

  /// How versions are compared; nil where ``obstacles`` says why not.
  var versionType: VersionType? { table.column(version).flatMap { VersionType(typeOid: $0.baseType.oid) } }

  private var kindObstacles: [String] {
    guard table.kind != .table && table.kind != .partitioned else { return [] }
    return ["\(table.name) is a view or a foreign table. Merge into the table behind it."]
  }

  private var keyObstacles: [String] {
    guard let key = table.primaryKey else {
      return ["\(table.name) has no primary key, so rows can't be matched. Add one."]
    }
    guard !key.isTemporal else {
      return [
        "the primary key of \(table.name) is WITHOUT OVERLAPS: it tells rows apart by periods, which can't be "
          + "matched. Merge into a table with an ordinary primary key, or leave this one out."
      ]
    }
    return key.columns.filter { table.column($0.name)?.isGenerated == true }.map { column in
      "the key column \(column.name) of \(table.name) is computed by the server, so rows can't be matched by it. Make it "
        + "an ordinary column."
    }
  }

  private var versionObstacles: [String] {
    guard let column = table.column(version) else {
      let others = table.columns.filter { VersionType(typeOid: $0.baseType.oid) != nil }.map(\.name.name)
      return [
        "\(table.name) has no column \(version) to tell newer from older. Name the right one: version_column."
          + Spelling.question(for: version.name, in: others)
      ]
    }
    guard VersionType(typeOid: column.baseType.oid) != nil else {
      return [
        "the version column \(version) of \(table.name) is of type \(column.declaredType); it must be "
          + VersionType.supportedNames + "."
      ]
    }
    guard !column.isGenerated else {
      return [
        "the version column \(version) of \(table.name) is computed by the server, so rows can't be compared by it. Name "
          + "another one: version_column."
      ]
    }
    return []
  }
}
