import ArgumentParser
import Foundation
import MergeEngine

/// `merge-engine snapshot from-csv`
struct SnapshotFromCSVCommand: DatabaseCommand {
  static let configuration = CommandConfiguration(
    commandName: "from-csv",
    abstract: "Make a snapshot from the CSV files that DMS has written to S3, for replay to merge.",
    discussion: """
      Fetch the files first (aws s3 sync). Every value is read as production's type; production is not changed. Rows that the \
      files' Op column says were deleted are not merged: those that production still has are written to deletes.jsonl in the \
      folder, for merge-engine repair FILE --kind extra. A bad row is reported with file, line and column, and nothing is imported \
      unless --max-errors lets it be left out (exit status 65). Files compressed with gzip are unpacked.
      """
  )

  @Argument(
    help: ArgumentHelp("The snapshot: a folder that is empty or does not exist.", valueName: "dir"),
    completion: .directory
  )
  var directory: String

  @Argument(
    help: ArgumentHelp(
      """
      CSV files, and folders of them. With one --table all are that table's; otherwise a file's table is the folder that it \
      lies in, as DMS names it, and of several pairs of schemas the folder above says which.
      """,
      valueName: "file"
    )
  )
  var sources: [String]

  @OptionGroup var database: DatabaseOptions

  @Flag(help: "The first row of each file holds the names of the columns (DMS: AddColumnName).")
  var header = false

  @Option(
    help: ArgumentHelp(
      "The files' columns in order, without Op, where no first row names them (default: production's).",
      valueName: "name,…"
    )
  )
  var columns: String?

  @Option(
    help: ArgumentHelp(
      "A column of the files to leave out, such as that of TimestampColumnName; may be repeated.",
      valueName: "name"
    )
  )
  var ignoreColumn: [String] = []

  @Option(
    help: ArgumentHelp("What separates fields: CsvDelimiter (default: a comma). \\t is a tab.", valueName: "text")
  )
  var delimiter: String?

  @Option(
    help: ArgumentHelp("What ends a row: CsvRowDelimiter (default: \\n, and CR LF is refused).", valueName: "text")
  )
  var rowDelimiter: String?

  @Option(
    help: ArgumentHelp(
      "The unquoted text that stands for NULL: CsvNullValue; may be repeated (default: NULL).",
      valueName: "text"
    )
  )
  var null: [String] = []

  @Flag(help: "Quotes have no special meaning (DMS: Rfc4180 false).")
  var noQuotes = false

  @Option(
    help: ArgumentHelp(
      "Leave out up to this many bad rows, and list them in rejected.csv (default: 0).",
      valueName: "rows"
    )
  )
  var maxErrors: Int?

  @Option(help: ArgumentHelp("The zone of times that name none (default: UTC).", valueName: "zone"))
  var timeZone: String?

  func validate() throws {
    guard !(header && columns != nil) else {
      throw ValidationError("--columns names what --header reads from the files: give only one of them.")
    }
    guard columns == nil || database.table.count == 1 else {
      throw ValidationError("--columns is about the files of one table: name it with --table.")
    }
  }

  func run() async throws {
    let context = try CommandContext(database)
    let options = try resolve(context)
    let stop = StopSignal()
    let interrupts = Interrupts { stop.request(signal: $0) }
    let work = SnapshotImport(target: context.target, options: options, logger: context.logger, stop: stop)
    let folder = URL(fileURLWithPath: directory)
    let result = try await Waiting.on("importing", context) { Result { try work.run(into: folder) } }
    withExtendedLifetime(interrupts) {}
    if case .failure = result, let signal = stop.signal { throw CommandEnd(status: ExitStatus(signal: signal)) }
    let report = try result.get()
    try ImportOutput(report: report, directory: folder).write(asJSON: context.writesJSON, isQuiet: context.isQuiet)
    if report.status == .partial { throw CommandEnd(status: .rowsRefused) }
  }

  private func resolve(_ context: CommandContext) throws -> SnapshotImport.Options {
    var options = SnapshotImport.Options()
    options.merge.schemas = context.schemas
    options.merge.tables = context.tables
    options.merge.columns = context.columns
    options.merge.timeZone = timeZone ?? context.configuration.timeZone ?? options.merge.timeZone
    options.merge.timeZoneIsConfigured = timeZone == nil && context.configuration.timeZone != nil
    options.sources = sources
    options.columns = columns?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    options.ignoredColumns = ignoreColumn
    options.maxErrors = maxErrors ?? context.configuration.maxErrors ?? 0
    try UsageCheck.range(options.maxErrors, 0...Int.max, flag: "--max-errors", rule: "0 or more")
    options.format.hasHeader = header
    options.format.hasQuotes = !noQuotes
    if let delimiter { options.format.delimiter = try Self.unescaped(delimiter, flag: "--delimiter") }
    if let rowDelimiter { options.format.rowDelimiter = try Self.unescaped(rowDelimiter, flag: "--row-delimiter") }
    if !null.isEmpty { options.format.nullTexts = null }
    guard options.format.delimiter != options.format.rowDelimiter ?? "\n" else {
      throw MergeFailure.usage(
        "--delimiter and --row-delimiter are the same: rows could not be told apart from fields."
      )
    }
    return options
  }

  /// `\t`, `\n`, `\r`, `\\` and `\x1F`, as a shell's user types what DMS's settings hold.
  private static func unescaped(_ text: String, flag: String) throws -> String {
    var result = ""
    var rest = Substring(text)
    while let letter = rest.popFirst() {
      guard letter == "\\" else {
        result.append(letter)
        continue
      }
      switch rest.popFirst() {
      case "t": result += "\t"
      case "n": result += "\n"
      case "r": result += "\r"
      case "\\": result += "\\"
      case "x":
        guard let code = UInt8(rest.prefix(2), radix: 16), code < 0x80, code > 0, rest.count >= 2 else {
          throw MergeFailure.usage("\(flag) \(text): \\x must be followed by two hexadecimal digits, from 01 to 7F.")
        }
        rest.removeFirst(2)
        result.unicodeScalars.append(Unicode.Scalar(code))
      default:
        throw MergeFailure.usage(
          "\(flag) \(text): a backslash must be followed by t, n, r, x and two digits, or another backslash."
        )
      }
    }
    guard !result.isEmpty, !result.contains("\"") else {
      throw MergeFailure.usage("\(flag) must be at least one character, and not a quote.")
    }
    return result
  }
}
