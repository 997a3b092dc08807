import ArgumentParser
import DMS
import MergeEngine

extension MappingPlan.WindowForm: ExpressibleByArgument {}

/// What is said about the source side of a load.
struct SourceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      The Oracle schema of tables that name none (tables.NAME.source_schema); upper-cased unless in double quotes. With several \
      pairs of schemas PRODUCTION=NAME, once for each.
      """,
      valueName: "name"
    )
  )
  var sourceSchema: [String] = []

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
  /// What of each pair of schemas DMS writes to, or compares with Oracle.
  enum Side {
    case staging, production
  }

  let configuration: ConfigurationFile
  let columns: ColumnRules
  let schemas: Schemas
  let side: Side
  let options: SourceOptions

  /// The padding that was asked for.
  func padding() throws -> WindowPadding {
    guard let text = options.pad ?? configuration.dms.pad else { return .none }
    return try WindowPadding(text)
  }

  /// The plan for these tables, as a merge calls them.
  func plan(_ tables: [String], window: TimeWindow) throws -> MappingPlan {
    let form: MappingPlan.WindowForm? = configuration.dms.windowForm.flatMap { .init(rawValue: $0) }
    return MappingPlan(
      sourceSchema: "",
      tables: try tables.map(planned),
      window: window,
      padding: try padding(),
      windowForm: options.windowForm ?? form ?? .between
    )
  }

  /// The plan for single rows of tables, by their keys.
  func plan(rows: KeyPieces.Keys) throws -> MappingPlan {
    MappingPlan(
      sourceSchema: "",
      tables: try rows.keys.sorted().map { name in
        var table = try planned(name)
        let keys = rows[name] ?? []
        table.keyValues = KeyPieces.values(of: (keys.first?.keys ?? [:].keys).sorted(), in: keys)
          .map { PlannedTable.KeyValues(column: rules(of: name)?.columns?[$0.column] ?? $0.column, values: $0.values) }
        return table
      },
      window: nil
    )
  }

  private func rules(of table: String) -> ColumnRules.TableRules? {
    schemas.place(of: table).flatMap { columns.tables["\($0.pair.production).\($0.name)"] ?? columns.tables[$0.name] }
  }

  private func planned(_ table: String) throws -> PlannedTable {
    guard let (pair, name) = schemas.place(of: table) else {
      throw MergeFailure.usage("\(table) may be in several pairs of schemas: name it with production's schema.")
    }
    let tables = configuration.tables
    let source = (tables["\(pair.production).\(name)"] ?? tables[name])?.source ?? SourceTable()
    let rules = rules(of: table)
    let version = rules?.version ?? columns.version
    let typed = try SourceSchemas(options.sourceSchema)
    guard
      let schema = source.schema ?? typed.schema(of: pair.production)
        ?? configuration.dms.sourceSchemas.schema(of: pair.production)
    else {
      throw MergeFailure.usage(
        schemas.hasSeveralPairs
          ? "the Oracle schema of \(table) is not known. Name it: --source-schema \(pair.production)=NAME, or "
            + "dms.source_schema: {\(pair.production): NAME} in the configuration file."
          : "the Oracle schema of \(table) is not known. Name it: --source-schema NAME, or dms.source_schema in the "
            + "configuration file."
      )
    }
    return PlannedTable(
      name: source.table ?? name,
      schema: schema,
      versionColumn: rules?.columns?[version] ?? version,
      targetSchema: side == .staging ? pair.staging : pair.production,
      targetName: side == .staging ? rules?.stagingTable ?? name : name,
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
