/// A planned table with every name in the source's spelling.
struct ResolvedTable {
  let plan: PlannedTable
  let schema: String
  let name: String
  let versionColumn: String
  let targetSchema: String
  let targetName: String
  let parallelLoad: ParallelLoad?

  /// Whether the target name is more than the source name in lower case.
  var isRenamed: Bool { targetName != name.lowercased() }

  init(_ plan: PlannedTable, sourceSchema: String, targetSchema: String) throws(DocumentError) {
    self.plan = plan
    schema = try OracleName.inDictionary(plan.schema ?? sourceSchema)
    name = try OracleName.inDictionary(plan.name)
    versionColumn = try OracleName.inDictionary(plan.versionColumn)
    self.targetSchema = plan.targetSchema ?? targetSchema
    targetName = plan.targetName ?? name.lowercased()
    guard !targetName.isEmpty else { throw .badName(name: targetName, reason: "the target name is empty") }
    parallelLoad = try Self.checked(plan.parallelLoad, table: name)
    if let size = plan.lobSettings?.bulkMaxSize, Int(size).map({ $0 > 0 }) != true {
      throw .outOfRange(setting: "bulk-max-size of \(name)", value: Int(size) ?? 0, allowed: 1...102_400)
    }
  }

  private static func checked(_ load: ParallelLoad?, table: String) throws(DocumentError) -> ParallelLoad? {
    guard var load, load.type == .ranges else { return load }
    let columns = load.columns ?? []
    guard (1...10).contains(columns.count) else {
      throw .badRanges(table: table, reason: "there are \(columns.count) columns; one to ten are allowed")
    }
    guard let boundaries = load.boundaries, !boundaries.isEmpty else {
      throw .badRanges(table: table, reason: "there are no boundaries")
    }
    if let uneven = boundaries.firstIndex(where: { $0.count != columns.count }) {
      let reason = "boundary \(uneven + 1) has \(boundaries[uneven].count) values for \(columns.count) columns"
      throw .badRanges(table: table, reason: reason)
    }
    var upper: [String] = []
    for column in columns { upper.append(try OracleName.inDictionary(column)) }
    load.columns = upper
    return load
  }
}
