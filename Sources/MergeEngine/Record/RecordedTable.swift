import Libpq

/// What a run's record says of a table when the run is opened.
struct RecordedTable {
  /// The table's name, as the user knows it.
  let name: String
  let production: QualifiedName
  /// nil for rows that come from elsewhere.
  let stagingSchema: String?
  let window: VersionWindow

  init(name: String, production: QualifiedName, stagingSchema: String?, window: VersionWindow) {
    self.name = name
    self.production = production
    self.stagingSchema = stagingSchema
    self.window = window
  }

  init(_ plan: TablePlan) {
    self.init(
      name: plan.name,
      production: plan.production,
      stagingSchema: plan.reading.snapshot == nil ? plan.staging.schema.name : nil,
      window: plan.reading.window
    )
  }
}
