import MergeEngine

/// What `replay --into-staging` has filled.
struct RestoreOutput {
  let tables: [SnapshotRestore.TableReport]

  func write(_ context: CommandContext) throws {
    if context.writesJSON { return try StandardOutput.write(json: ["tables": tables]) }
    guard !context.isQuiet else { return }
    for table in tables {
      StandardOutput.write(
        "\(table.schema).\(table.table): \(Numbers.counted(table.rows, "row")) restored"
          + (table.created ? ", into a new table.\n" : ".\n")
      )
    }
  }
}
