/// Differences as a table for spreadsheets (RFC 4180): a line a column that differs, or a line for a row that only one side
/// has. `repair` does not read it.
enum DifferenceCSV {
  static let header =
    "number,pair,table,kind,key,staging_version,production_version,column,production_value,staging_value\r\n"

  static func line(_ difference: Difference) -> String {
    let key = difference.key.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
    let row: [String?] = [
      "\(difference.number)", difference.pair, difference.table, difference.kind.rawValue, key,
      difference.stagingVersion, difference.productionVersion,
    ]
    guard !difference.columns.isEmpty else { return text(row + [nil, nil, nil]) }
    return difference.columns.map { text(row + [$0.column, $0.values?.production, $0.values?.staging]) }.joined()
  }

  /// NULL is an empty field, and an empty text is quoted, as COPY writes them.
  private static func text(_ fields: [String?]) -> String {
    fields.map { field in
      guard let field else { return "" }
      let needsQuotes = field.isEmpty || field.contains { "\",\r\n".contains($0) || $0.isNewline }
      return needsQuotes ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
    }.joined(separator: ",") + "\r\n"
  }
}
