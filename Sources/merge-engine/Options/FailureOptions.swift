import ArgumentParser
import MergeEngine

/// Which of the failures that DMS's validation has found are meant.
struct FailureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "DMS's table of validation failures, with or without its schema (default: every one in the database).",
      valueName: "name"
    )
  )
  var failureTable: String?

  /// What reads them.
  ///
  /// - Parameters:
  ///   - sourceSchemas: the Oracle schemas as they were typed.
  ///   - task: only what this task has found; nil for all.
  func reader(_ context: CommandContext, sourceSchemas: [String], task: String? = nil) throws -> ValidationFailures {
    var options = ValidationFailures.Options()
    options.schemas = context.schemas
    options.tables = context.tables
    let (typed, configured) = (try SourceSchemas(sourceSchemas), context.configuration.dms.sourceSchemas)
    options.columns = context.columns
    for pair in context.schemas.pairs {
      options.sourceSchemas[pair.production] =
        typed.schema(of: pair.production) ?? configured.schema(of: pair.production)
    }
    options.sources = context.configuration.tables.compactMapValues { table in
      guard table.source.schema != nil || table.source.table != nil else { return nil }
      return .init(schema: table.source.schema, table: table.source.table)
    }
    options.failureTable = failureTable
    options.task = task
    return ValidationFailures(target: context.target, options: options, logger: context.logger)
  }
}
