import ArgumentParser
import Foundation
import Libpq
import Logging
import MergeEngine

/// The options that every command on a database takes, as they were typed.
struct DatabaseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "libpq URI or keyword string (default: DATABASE_URL, or libpq's own environment: PGHOST, PGSERVICE, …).",
      valueName: "url"
    )
  )
  var database: String?

  @Option(
    help: ArgumentHelp(
      """
      Run by the shell for every new connection; the first line of its output is the password, such as an IAM token or an \
      entry of a secret store.
      """,
      valueName: "command"
    )
  )
  var passwordCommand: String?

  @Option(help: ArgumentHelp("As --password-command, for --staging-database.", valueName: "command"))
  var stagingPasswordCommand: String?

  @Option(
    help: ArgumentHelp(
      "YAML file with options (default: merge-engine.yaml in the working directory, if there is one). Flags win over it.",
      valueName: "file"
    )
  )
  var config: String?

  @Option(help: ArgumentHelp("The schema that DMS loads into (default: staging).", valueName: "name"))
  var stagingSchema: String?

  @Option(help: ArgumentHelp("The schema that CDC writes to (default: production).", valueName: "name"))
  var productionSchema: String?

  @Option(
    help: ArgumentHelp(
      """
      A staging schema and the production schema it is merged into, in place of --staging-schema and --production-schema; \
      may be repeated. Several pairs are merged in one run, parents before children across schemas, and tables are then named \
      with their production schema.
      """,
      valueName: "staging=production"
    )
  )
  var pair: [String] = []

  @Option(help: ArgumentHelp("The schema of runs, logs and views (default: admin).", valueName: "name"))
  var adminSchema: String?

  @Option(
    help: ArgumentHelp(
      """
      Only this production table, with or without its schema; may be repeated (default: every one that has a staging \
      table).
      """,
      valueName: "name"
    )
  )
  var table: [String] = []

  @Flag(
    inversion: .prefixedNo,
    help: """
      Match staging names to production names that differ only in case, as they do when DMS keeps Oracle's capitals \
      (default: no).
      """
  )
  var foldCase: Bool?

  @Flag(help: "Print the result as one JSON object on stdout, everything else on stderr.")
  var json = false

  @Flag(help: "Print errors only, no progress and no tables.")
  var quiet = false

  @Option(help: ArgumentHelp("Format of log lines on stderr: text or json (default: text).", valueName: "form"))
  var logFormat: LogFormat?
}

extension DatabaseOptions {
  /// The form of log lines, by flag or file.
  func logFormat(_ file: ConfigurationFile?) -> LogFormat {
    logFormat ?? file?.logFormat.flatMap { LogFormat(rawValue: $0) } ?? .text
  }
}

/// A command on a database.
protocol DatabaseCommand: AsyncParsableCommand {
  var database: DatabaseOptions { get }
}

/// What every command on a database works with: flags, file and environment brought together.
struct CommandContext {
  let configuration: ConfigurationFile
  private let configurationName: String
  let target: ConnectionTarget
  let schemas: Schemas
  let tables: [String]?
  let columns: ColumnRules
  let logger: Logger
  let logFormat: LogFormat
  let writesJSON: Bool
  let isQuiet: Bool
  private let stagingPasswordCommand: PasswordCommand?

  /// - Throws: ``ConfigurationError``, ``MergeFailure/usage(_:)`` without a database, or for one that can't be read.
  init(_ options: DatabaseOptions) throws {
    let file = try ConfigurationFile(path: options.config)
    logFormat = options.logFormat(file)
    var logger = LogOutput.logger(logFormat)
    logger.logLevel = options.quiet ? .error : .info
    configuration = file
    configurationName = options.config ?? ConfigurationFile.defaultName
    var target = try Self.target(options.database, file, named: configurationName, logger: logger)
    target.passwordSource =
      try PasswordCommand(typed: options.passwordCommand, words: file.passwordCommand, option: "password-command")?
      .source
    self.target = target
    stagingPasswordCommand = try PasswordCommand(
      typed: options.stagingPasswordCommand,
      words: file.stagingPasswordCommand,
      option: "staging-password-command"
    )
    // A log is read where nobody knows any more which job wrote it.
    logger[metadataKey: "database"] = "\(target.description.trimmingPrefix("database "))"
    self.logger = logger
    schemas = try Self.schemas(options, file)
    tables = options.table.isEmpty ? file.include : options.table
    var columns = Self.columnRules(file)
    columns.foldsCase = options.foldCase ?? columns.foldsCase
    self.columns = columns
    writesJSON = options.json
    isQuiet = options.quiet
  }

  /// The schemas by flag, file or default.
  ///
  /// - Throws: ``MergeFailure/usage(_:)``, ``ConfigurationError`` for a pair that is none.
  static func schemas(_ options: DatabaseOptions, _ file: ConfigurationFile) throws -> Schemas {
    var schemas = Schemas()
    schemas.staging = options.stagingSchema ?? file.stagingSchema ?? schemas.staging
    schemas.production = options.productionSchema ?? file.productionSchema ?? schemas.production
    schemas.admin = options.adminSchema ?? file.adminSchema ?? schemas.admin
    try addPairs(options, file, to: &schemas)
    return schemas
  }

  /// Several pairs of schemas, by flag or file; a flag for one schema goes before the file's pairs.
  private static func addPairs(
    _ options: DatabaseOptions,
    _ file: ConfigurationFile,
    to schemas: inout Schemas
  ) throws {
    let namesOne = options.stagingSchema != nil || options.productionSchema != nil
    guard options.pair.isEmpty || !namesOne else {
      throw MergeFailure.usage("--pair goes with neither --staging-schema nor --production-schema: it names both.")
    }
    guard !namesOne else { return }
    let texts = options.pair.isEmpty ? file.pairs ?? [] : options.pair
    guard !texts.isEmpty else { return }
    let pairs = try texts.map { text in
      if let pair = SchemaPair(text) { return pair }
      let message =
        "\(ConfigurationMapping.shown(text)) is not a pair of schemas: write STAGING=PRODUCTION, such as staging=production."
      throw options.pair.isEmpty
        ? ConfigurationError(description: "\(options.config ?? ConfigurationFile.defaultName): pairs: \(message)")
        : MergeFailure.usage("--pair \(message)") as any Error
    }
    schemas.staging = pairs[0].staging
    schemas.production = pairs[0].production
    schemas.otherPairs = pairs.count > 1 ? Array(pairs.dropFirst()) : nil
    guard options.pair.isEmpty else { return }
    let names = pairs.flatMap { [$0.staging, $0.production] }
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ConfigurationError(
        description: "\(options.config ?? ConfigurationFile.defaultName): pairs: the schema \(twice) is named twice."
      )
    }
  }

  /// A context for a database of the program's own, without flags, file or environment.
  init(ownDatabase connectionString: String) throws {
    configuration = ConfigurationFile()
    configurationName = ConfigurationFile.defaultName
    target = try ConnectionTarget(connectionString)
    schemas = Schemas()
    tables = nil
    columns = ColumnRules()
    logFormat = .text
    logger = LogOutput.logger(logFormat)
    writesJSON = false
    isQuiet = false
    stagingPasswordCommand = nil
  }

  /// Whether a database was named in any of the ways there are.
  static func namesDatabase(_ options: DatabaseOptions, _ file: ConfigurationFile) -> Bool {
    string(options.database, file) != nil || libpqNamesOne
  }

  private static func string(_ typed: String?, _ file: ConfigurationFile) -> String? {
    let variable = ProcessInfo.processInfo.environment["DATABASE_URL"].flatMap { $0.isEmpty ? nil : $0 }
    return typed ?? file.database ?? variable
  }

  private static var libpqNamesOne: Bool {
    let environment = ProcessInfo.processInfo.environment
    return ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"].contains { environment[$0] != nil }
  }

  private static func target(
    _ typed: String?,
    _ file: ConfigurationFile,
    named name: String,
    logger: Logger
  ) throws -> ConnectionTarget {
    // Not a reason to look further: whoever types --database "$TARGET" with nothing in it means no other database.
    guard typed?.isEmpty != true else { throw MergeFailure.usage("no database given: --database is empty.") }
    let string = string(typed, file)
    guard string != nil || libpqNamesOne else {
      throw MergeFailure.usage(
        "no database given. Name it with --database postgresql://user@host/database, in DATABASE_URL, or in libpq's "
          + "own environment (PGHOST, PGDATABASE, PGSERVICE, …)."
      )
    }
    let origin: Origin = typed != nil ? .flag : file.database != nil ? .file(name, key: "database") : .environment
    return try parse(string, origin, logger)
  }

  /// Where staging is, if it is not in the database itself.
  func stagingTarget(_ typed: String?) throws -> ConnectionTarget? {
    guard let string = typed ?? configuration.stagingDatabase else { return nil }
    var target = try Self.parse(
      string,
      typed == nil ? .file(configurationName, key: "staging_database") : .flag,
      logger
    )
    target.passwordSource = stagingPasswordCommand?.source
    let other = target.unlessDatabase(of: self.target)
    if other == nil { logger.info("staging is in production's own database: there is no need to name it") }
    return other
  }

  /// Where a connection string stands.
  private enum Origin {
    case flag
    case file(_ name: String, key: String)
    case environment
  }

  private static func parse(_ string: String?, _ origin: Origin, _ logger: Logger) throws -> ConnectionTarget {
    do {
      let target = try ConnectionTarget(string)
      if case .flag = origin, target.holdsPassword {
        logger.warning(
          "a password on the command line can be seen by others on this machine: use DATABASE_URL or ~/.pgpass"
        )
      }
      return target
    } catch {
      guard case .file(let name, let key) = origin else {
        throw MergeFailure.usage("the connection string is wrong: \(error.message)")
      }
      throw ConfigurationError(
        description: "\(name): \(key): the connection string is wrong: \(error.message)"
      )
    }
  }

  static func columnRules(_ file: ConfigurationFile) -> ColumnRules {
    var rules = ColumnRules()
    rules.version = file.versionColumn ?? rules.version
    rules.foldsCase = file.foldCase ?? rules.foldsCase
    rules.insertOnly = file.insertOnlyColumns ?? rules.insertOnly
    rules.tables = file.tables.mapValues { table in
      var own = ColumnRules.TableRules()
      own.version = table.versionColumn
      own.insertOnly = table.insertOnlyColumns
      own.ignore = table.ignoreColumns
      own.key = table.key
      own.stagingTable = table.stagingTable
      own.columns = table.columns
      return own
    }
    return rules
  }
}
