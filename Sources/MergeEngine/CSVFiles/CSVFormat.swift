/// How a CSV file is written: what DMS's S3 endpoint calls `CsvDelimiter`, `CsvRowDelimiter`, `CsvNullValue`, `Rfc4180` and
/// `AddColumnName`.
///
/// The defaults are DMS's: <https://docs.aws.amazon.com/dms/latest/APIReference/API_S3Settings.html>.
package struct CSVFormat: Sendable {
  /// Between two fields; one byte or several.
  package var delimiter = ","
  /// Behind a row; one byte or several. nil where nobody has said: a line feed, and a row with a carriage return before it is refused.
  package var rowDelimiter: String?
  /// What stands for NULL, unless it is quoted.
  package var nullTexts = ["NULL"]
  /// Whether a field in double quotes may hold delimiters, and doubled quotes; otherwise a quote is a letter like others.
  package var hasQuotes = true
  /// Whether each file begins with the names of its columns.
  package var hasHeader = false

  /// DMS's defaults.
  package init() {}
}
