import Libpq
import Spelling

/// What a production table must be to be merged into, whatever its staging table looks like.
///
/// The planner asks it before a merge, and `init` before it makes staging for a table that could never be merged.
struct MergeTarget {
  let table: CatalogTable
  /// The column that is configured to tell newer from older.
  let version: Identifier
  private let choice: KeyChoice

  init(_ table: CatalogTable, _ columns: ColumnRules) {
    self.table = table
    version = columns.version(of: table.name.name.name)
    choice = KeyChoice(table, wanted: columns.key(of: table.name.name.name))
  }

  /// The index whose columns match staging's rows with production's; nil where ``obstacles`` says why there is none.
  var key: UniqueIndex? { choice.key }

  /// What stands against merging into it, with what to do; empty for a table that can be merged into.
  var obstacles: [String] { kindObstacle.map { [$0] } ?? choice.obstacles + versionObstacles }

  /// How versions are compared; nil where ``obstacles`` says why not.
  var versionType: VersionType? {
    guard let column = table.column(version), !column.isGenerated else { return nil }
    return VersionType(typeOid: column.baseType.oid)
  }

  /// It is nothing that could be merged into, whatever its columns are.
  var kindObstacle: String? {
    guard table.kind != .table && table.kind != .partitioned else { return nil }
    return "\(table.name) is a view or a foreign table. Merge into the table behind it."
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
