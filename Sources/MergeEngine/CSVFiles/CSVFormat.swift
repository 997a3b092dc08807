/// How a CSV file is written: what DMS's S3 endpoint calls `CsvDelimiter`, `CsvRowDelimiter`, `CsvNullValue`, `Rfc4180` and
/// `AddColumnName`.
///
/// The defaults are DMS's: <https://docs.aws.amazon.com/dms/latest/APIReference/API_S3Settings.html>.
public struct CSVFormat: Sendable {
  /// Between two fields; one byte or several.
  public var delimiter = ","
  /// Behind a row; one byte or several.
  public var rowDelimiter = "\n"
  /// What stands for NULL, unless it is quoted.
  public var nullTexts = ["NULL"]
  /// Whether a field in double quotes may hold delimiters, and doubled quotes; otherwise a quote is a letter like others.
  public var hasQuotes = true
  /// Whether each file begins with the names of its columns.
  public var hasHeader = false

  /// DMS's defaults.
  public init() {}
}
