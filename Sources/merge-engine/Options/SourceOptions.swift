import ArgumentParser
import DMS
import MergeEngine

extension MappingPlan.WindowForm: ExpressibleByArgument {}

/// What is said about the source side of a load.
struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The Oracle schema of tables that name none (tables.NAME.source_schema); upper-cased unless in double quotes.",
      valueName: "name"
    )
  )
  var sourceSchema: String?

  @Option(
    help: ArgumentHelp(
      "Load this much more at both ends of the window, such as 90s, 30m, 1h or 2d; the merge cuts exactly (default: nothing).",
      valueName: "time"
    )
  )
  var pad: String?

  @Option(help: "Express the window as one filter or as two: between or two-filters (default: between).")
  var windowForm: MappingPlan.WindowForm?
}

/// Makes the mapping document of a task from configuration and flags.
struct MappingPlanner {
  let configuration: ConfigurationFile
  let columns: ColumnRules
  let stagingSchema: String
  let options: SourceOptions

  /// The padding that was asked for.
  func padding() throws -> WindowPadding {
    guard let text = options.pad ?? configuration.dms.pad else { return .none }
    return try WindowPadding(text)
  }

  /// The plan for these staging tables.
  func plan(_ tables: [String], window: TimeWindow) throws -> MappingPlan {
    let form: MappingPlan.WindowForm? = configuration.dms.windowForm.flatMap { .init(rawValue: $0) }
    return MappingPlan(
      sourceSchema: try sourceSchema(for: tables),
      targetSchema: stagingSchema,
      tables: tables.map(planned),
      window: window,
      padding: try padding(),
      windowForm: options.windowForm ?? form ?? .between
    )
  }

  /// The plan for single rows of staging tables, by their keys.
  func plan(rows: KeyPieces.Keys) throws -> MappingPlan {
    let tables = rows.keys.sorted()
    return MappingPlan(
      sourceSchema: try sourceSchema(for: tables),
      targetSchema: stagingSchema,
      tables: tables.map { name in
        var table = planned(name)
        let keys = rows[name] ?? []
        table.keyValues = KeyPieces.values(of: (keys.first?.keys ?? [:].keys).sorted(), in: keys)
        return table
      },
      window: nil
    )
  }

  /// Needed only by tables that name no schema themselves.
  private func sourceSchema(for tables: [String]) throws -> String {
    if let schema = options.sourceSchema ?? configuration.dms.sourceSchema { return schema }
    guard let table = tables.first(where: { configuration.tables[$0]?.source.schema == nil }) else { return "" }
    throw MergeFailure.usage(
      "the Oracle schema of \(table) is not known. Name it: --source-schema NAME, or dms.source_schema in the "
        + "configuration file."
    )
  }

  private func planned(_ table: String) -> PlannedTable {
    let source = configuration.tables[table]?.source ?? SourceTable()
    let rules = columns.tables[table]
    let version = rules?.version ?? columns.version
    return PlannedTable(
      name: source.table ?? table,
      schema: source.schema,
      versionColumn: rules?.columns?[version] ?? version,
      targetName: rules?.stagingTable ?? table,
      loadOrder: source.loadOrder,
      parallelLoad: source.parallelLoad,
      lobSettings: source.lobs
    )
  }
}

extension TimeWindow {
  /// The window of `--from` and `--to`.
  init(from: String?, to: String?) throws {
    guard let from, let to else {
      throw MergeFailure.usage(
        "the window is not complete: --from is its first moment and --to the first one after it, as the source's clock "
          + "shows them: --from 2025-01-01 --to 2025-02-01."
      )
    }
    try self.init(from: SourceTime(from), to: SourceTime(to))
  }
}
