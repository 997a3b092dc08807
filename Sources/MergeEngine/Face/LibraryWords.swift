/// What the engine says, in the words of a program that embeds it.
///
/// The engine's sentences name options as the command has them, `--pause-while`; who sets ``MergeOptions/pauseWhile`` has never
/// seen that. Commands of the program that works on the same database, `merge-engine errors list`, are named to both.
enum LibraryWords {
  /// The sentence with the properties of the options in place of the command's flags.
  static func text(_ sentence: String) -> String {
    var text = sentence.replacing(tables) { match in
      "tables = ["
        + match.output.split(separator: " ").filter { $0 != "--table" }.map { "\"\($0)\"" }
        .joined(separator: ", ") + "]"
    }
    for (words, replacement) in phrases { text = text.replacing(words, with: replacement) }
    return text.replacing(flag) { match in
      let isOfProgram = text[..<match.startIndex].contains(command)
      return isOfProgram ? match.output : properties[match.output] ?? match.output
    }
  }

  /// `--table a --table b`
  private static var tables: Regex<Substring> { /--table [^ ]+(?: --table [^ ]+)*/ }
  private static var flag: Regex<Substring> { /--[a-z][a-z\-]*/ }
  /// A command of the program, up to where its flags begin.
  private static var command: Regex<Substring> { /merge-engine [a-z ]*(?:--[a-z\-]+ ?)*$/ }

  /// Flags with their values, longer phrases first.
  private static let phrases = [
    ("verify --from T --to T --output FILE", "verify with from, to and outputPath"),
    ("verify --output", "verify with outputPath"),
    ("verify --mark none", "verify with mark = .none"),
    ("--mark none", "mark = .none"),
    ("--ties compare", "ties = .compare"),
    ("--kind extra", "kinds with .extra"),
  ]

  private static let properties: [Substring: Substring] = [
    "--admin-schema": "schemas.admin",
    "--again": "again",
    "--atomic": "atomic",
    "--batch": "batchRows",
    "--before-images": "beforeImages",
    "--cleanup": "cleanup",
    "--columns": "the columns",
    "--database": "the connection description",
    "--failure-table": "the failure table",
    "--fold-case": "columns.foldsCase",
    "--from": "from",
    "--header": "the header",
    "--ignore-column": "ignored columns",
    "--into-staging": "into staging",
    "--kind": "kinds",
    "--lock-timeout": "lockTimeoutMilliseconds",
    "--mark": "mark",
    "--max-errors": "maxErrors",
    "--max-extra-percent": "maxExtraPercent",
    "--max-lock-time": "maxLockMilliseconds",
    "--max-replica-lag": "maxReplicaLagSeconds",
    "--max-rows-per-second": "maxRowsPerSecond",
    "--nulls": "nulls",
    "--on-nodes": "a merge on the nodes",
    "--output": "outputPath",
    "--pair": "schemas",
    "--pause-while": "pauseWhile",
    "--plan": "isDryRun",
    "--production-schema": "schemas.production",
    "--reconnect-timeout": "reconnectLimitSeconds",
    "--replica": "replica",
    "--restart": "startsOver",
    "--row-delimiter": "the row delimiter",
    "--source-schema": "source schemas",
    "--staging-database": "the row source",
    "--staging-schema": "schemas.staging",
    "--statement-timeout": "statementTimeoutMilliseconds",
    "--status-column": "hasStatusColumn",
    "--table": "tables",
    "--ties": "ties",
    "--time-zone": "timeZone",
    "--to": "to",
    "--unlogged": "isUnlogged",
    "--window": "window",
    "--workers": "workers",
  ]
}
