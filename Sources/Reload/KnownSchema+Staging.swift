import DMS
import MergeEngine

extension KnownSchema {
  /// The staging tables as the lint wants to know them, and production's as DMS's validation would see them.
  ///
  /// - Parameter tables: the only ones of production that would be validated; nil for all.
  package init(_ staging: StagingDescription, validated: ValidatedTables, only tables: [String]? = nil) {
    self.init(
      tables: staging.tables.map { table in
        Table(
          schema: table.schema,
          name: table.name,
          columns: table.columns.map { Column(name: $0.name, type: $0.type, isKey: $0.isKey) }
        )
      },
      validated: validated.tables.filter { table in
        tables.map { $0.contains(table.name) || $0.contains(table.plainName) } ?? true
      }.map { table in
        Table(
          name: table.name,
          columns: table.key.map { Column(name: $0.name, type: $0.type, isKey: true, collation: $0.collation) }
        )
      }
    )
  }
}
