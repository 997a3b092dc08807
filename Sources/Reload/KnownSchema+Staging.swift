import DMS
import MergeEngine

extension KnownSchema {
  /// The staging tables as the lint wants to know them.
  public init(_ staging: StagingDescription) {
    self.init(
      tables: staging.tables.map { table in
        Table(
          name: table.name,
          columns: table.columns.map { Column(name: $0.name, type: $0.type, isKey: $0.isKey) }
        )
      }
    )
  }
}
